// What somebody asks of berthd's sockets: the request itself, then its target, Host, query and headers as the control API reads them.

#include <string>

#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/logs/runs.h"
#include "daemon/api/call.h"
#include "daemon/api/log_query.h"
#include "daemon/api/revisions.h"
#include "tests/fuzz/fuzz.h"

/// A query has it for whoever reads files, which nobody does here.
bool berth::logs::is_alive(const Run&) { return false; }

namespace {

using namespace berth;

/// As the server and the handlers read what came.
void read(io::RequestReader& reader) {
  auto target = io::parse_target(reader.target);
  if (const auto host = reader.headers.find("host"); host != reader.headers.end()) static_cast<void>(io::is_host(host->second));
  if (!target) return;
  static_cast<void>(io::is_host(target->host));
  const io::ServerRequest request{.method = reader.method, .path = target->path, .query = target->query, .headers = reader.headers, .body = reader.body, .peer = {}};
  if (request.path.find('\0') != std::string::npos || request.path.find("/../") != std::string::npos) __builtin_trap();
  const auto logs = api::read_log_query(request, "web", std::chrono::sys_days(std::chrono::year(2026) / 11 / 24));
  if (logs && logs->selector.number && (*logs->selector.number < 1 || *logs->selector.number > 256)) __builtin_trap();
  if (const auto last = api::last_event_id(request.headers); last && *last && **last < 0) __builtin_trap();
  if (const auto key = api::idempotency_key(request); key && key->size() > 255) __builtin_trap();
  api::QueryReader waiting(request);
  if (waiting.wait() > std::chrono::minutes(1) || waiting.wait().count() < 0) __builtin_trap();
  constexpr std::string_view kTag = "\"0123456789abcdef01234567\"";
  if (const auto match = request.headers.find("if-match"); match != request.headers.end()) {
    const auto fits = api::matches(match->second, kTag);
    const bool may = match->second.find('*') != std::string::npos || match->second.find(kTag) != std::string::npos;
    if (fits && *fits && !may) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  io::RequestReader reader({});
  std::string buffer;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  for (std::size_t at = 0; at < bytes.size() && !reader.done(); at += 1u + data[0]) {
    buffer += bytes.substr(at, 1u + data[0]);
    if (reader.take(buffer)) return 0;
  }
  if (reader.done()) read(reader);
  return 0;
}
