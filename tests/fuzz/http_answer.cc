// What a web server answers to a download, in pieces of any length.

#include <functional>
#include <string>
#include <utility>

#include "core/io/download.h"
#include "core/io/http_reader.h"
#include "core/io/url.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace berth;

constexpr std::uint64_t kMost = 4096;

Result<void> read(std::string_view bytes, std::size_t piece, std::uint64_t from, std::string& body) {
  const std::function<Result<void>(std::string_view)> sink = [&body](std::string_view part) -> Result<void> {
    body += part;
    return {};
  };
  io::Download download(from, kMost, sink);
  bool begun = false;
  io::ResponseReader* head = nullptr;
  const auto begin = [&]() -> Result<void> {
    if (std::exchange(begun, true)) return {};
    return download.begin(head->status, head->headers);
  };
  io::ResponseReader reader({}, false, [&](std::string_view part) -> Result<void> {
    BERTH_CHECK(begin());
    return download.wants_body() ? download.take(part) : Result<void>();
  });
  head = &reader;
  std::string buffer;
  for (std::size_t at = 0; at < bytes.size() && !reader.done(); at += piece) {
    buffer += bytes.substr(at, piece);
    BERTH_CHECK(reader.take(buffer));
    if (!reader.head_done()) continue;
    BERTH_CHECK(begin());
    if (!download.wants_body()) break;
  }
  if (!reader.done() && download.wants_body()) BERTH_CHECK(reader.end());
  BERTH_CHECK(begin());
  BERTH_CHECK(download.end());
  if (const auto place = download.elsewhere()) {
    const auto next = io::resolve(io::parse_url("https://example.org/a/b?c").value(), *place);
    if (next) fuzz::must(io::parse_url(next->text()).has_value(), "a redirect leads to a place that is none");
  }
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto bytes = fuzz::text_of(data + 2, size - 2);
  std::string whole, in_pieces;
  const auto done = read(bytes, bytes.size() + 1, data[1] % 4, whole);
  const auto again = read(bytes, 1 + data[0], data[1] % 4, in_pieces);
  fuzz::must(whole.size() <= kMost && in_pieces.size() <= kMost, "more was taken than is allowed");
  if (done && again) fuzz::must(whole == in_pieces, "the length of the pieces matters");
  return 0;
}
