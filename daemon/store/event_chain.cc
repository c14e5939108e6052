#include <cerrno>
#include <fstream>
#include <optional>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "daemon/store/event_line.h"
#include "daemon/store/event_tail.h"
#include "daemon/store/store.h"

namespace berth::store {

namespace {

/// Checks one line against the one before; what is wrong goes to `troubles`.
class ChainCheck {
 public:
  explicit ChainCheck(const EventTail* tail) : tail_(tail) {}

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

  /// No line comes any more.
  void end() {
    if (tail_ == nullptr) return;
    if (std::string missing = missing_at_end(*tail_, number_); !missing.empty()) troubles_.push_back("after the last line: " + std::move(missing));
  }

  void complain(std::string what) { troubles_.push_back(fmt::format("line {}: {}", line_, std::move(what))); }

  std::vector<std::string> troubles() && { return std::move(troubles_); }

 private:
  void check(const EventLine& found) {
    if (found.event.number != number_ + 1)
      complain(fmt::format("event {} follows event {}: lines were removed, added or moved", found.event.number, number_));
    if (found.previous != hash_)
      complain(fmt::format("event {} does not continue the line before it, which was changed, removed or moved", found.event.number));
    if (tail_ != nullptr && !agrees(*tail_, found.event)) complain(fmt::format("event {} is another than the database has: it was changed", found.event.number));
  }

  const EventTail* tail_;  ///< null: nothing is known but the log
  std::int64_t line_ = 0;
  std::int64_t number_ = 0;
  std::string hash_{kNoLine};
  std::vector<std::string> troubles_;
};

}  // namespace

Result<std::vector<std::string>> verify_events(const fs::path& log, const fs::path& database) {
  std::optional<EventTail> tail;
  if (!database.empty()) {  // first, since berthd may go on writing
    BERTH_TRY(Database opened, Database::open_to_read(database));
    BERTH_TRY(tail, read_event_tail(opened));
  }
  std::ifstream file(log, std::ios::binary);
  if (!file && tail && errno == ENOENT) {
    const std::string missing = missing_at_end(*tail, 0);
    if (missing.empty()) return std::vector<std::string>();  // nothing has happened yet
    return std::vector<std::string>{fmt::format("{}: {}", log.string(), missing)};
  }
  if (!file) return fail_errno("open " + log.string());
  ChainCheck check(tail ? &*tail : nullptr);
  std::string line;
  while (std::getline(file, line)) {
    check.line(line);
    if (file.eof()) check.complain("it has no end (berthd is writing it, or crashed and writes it again at its start)");
  }
  check.end();
  if (file.bad()) return fail(Errc::io, "read " + log.string() + " failed");
  return std::move(check).troubles();
}

}  // namespace berth::store
