// What a server of logs answers to a batch: a status, a Retry-After and a body.

#include <string>

#include "core/utf8.h"
#include "daemon/ship/sinks/http_answers.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  constexpr std::size_t kEntries = 10;
  constexpr int kStatuses[] = {200, 204, 400, 401, 413, 429, 500, 503};
  if (size < 1) return 0;
  const auto text = fuzz::text_of(data + 1, size - 1);
  const auto end = text.find('\n');
  io::HttpAnswer answer{.status = kStatuses[data[0] % 8], .body = std::string(end == std::string_view::npos ? "" : text.substr(end + 1))};
  answer.headers["retry-after"] = text.substr(0, end);
  const logs::Time now = *logs::parse_rfc3339("2026-11-24T09:00:00Z");
  for (const ship::Verdict& verdict : {ship::judge_status(answer, now), ship::judge_export(answer, kEntries, now)}) {
    fuzz::must(verdict.refused <= kEntries, "more is refused than was sent");
    fuzz::must(verdict.wait >= std::chrono::milliseconds(0) && verdict.wait <= std::chrono::hours(1), "a wait without sense");
    fuzz::must(verdict.reason.size() <= 300 && verdict.reason.find_first_of("\r\n") == std::string::npos, "a reason of more than a line");
    fuzz::must(as_utf8(verdict.reason) == verdict.reason, "a reason that is not UTF-8");
    fuzz::must((verdict.kind == ship::Verdict::Kind::taken) == (answer.status < 300), "the status is not what counts");
  }
  return 0;
}
