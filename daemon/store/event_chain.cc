#include <fstream>
#include <optional>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "daemon/store/event_line.h"
#include "daemon/store/store.h"

namespace berth::store {

namespace {

/// Checks one line against the one before; what is wrong goes to `troubles`.
class ChainCheck {
 public:
  void line(std::string_view text) {
    ++line_;
    const auto parsed = parse_line(text);
    if (!parsed) {
      complain(parsed.error().message);
    } else {
      check(*parsed);
      number_ = parsed->event.number;
    }
    hash_ = crypto::sha256_hex(text);
  }

  void complain(std::string what) { troubles_.push_back(fmt::format("line {}: {}", line_, std::move(what))); }

  std::vector<std::string> troubles() && { return std::move(troubles_); }

 private:
  void check(const EventLine& found) {
    if (found.event.number != number_ + 1)
      complain(fmt::format("event {} follows event {}: lines were removed, added or moved", found.event.number, number_));
    if (found.previous != hash_)
      complain(fmt::format("event {} does not continue the line before it, which was changed, removed or moved", found.event.number));
  }

  std::int64_t line_ = 0;
  std::int64_t number_ = 0;
  std::string hash_{kNoLine};
  std::vector<std::string> troubles_;
};

}  // namespace

Result<std::vector<std::string>> verify_events(const fs::path& log) {
  std::ifstream file(log, std::ios::binary);
  if (!file) return fail_errno("open " + log.string());
  ChainCheck check;
  std::string line;
  while (std::getline(file, line)) {
    check.line(line);
    if (file.eof()) check.complain("it has no end (berthd is writing it, or crashed and writes it again at its start)");
  }
  if (file.bad()) return fail(Errc::io, "read " + log.string() + " failed");
  return std::move(check).troubles();
}

}  // namespace berth::store
