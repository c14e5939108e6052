#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/store/store.h"

namespace berth::store {

/// events.log, open for appending and reading. Where each event begins is kept in memory, so that reading a few costs a few.
class EventLog {
 public:
  /// Opens or makes it. A last line that a crash tore is cut off: it still waits in the database.
  static Result<EventLog> open(const std::filesystem::path& path);

  /// Appends events, numbered, each chained to the one before. They are on the disk when it returns; on failure none is.
  Result<void> append(const std::vector<Event>& events);

  /// Events numbered from `first`, at most `most`, of `app` only where it is not empty.
  Result<std::vector<Event>> read(std::int64_t first, int most, const std::string& app) const;

  /// The number from which on there are the newest `most` events, of `apps` only where there are any; that of the first one where there are fewer, and the next one where there is none.
  std::int64_t first_of_newest(int most, const std::vector<std::string>& apps) const;

  /// The newest event of that kind among the last 10,000 of `app`.
  Result<std::optional<Event>> newest(const std::string& app, const std::string& kind) const;

  /// Events of `app` from one moment to another among its last 10,000, the oldest first.
  Result<std::vector<Event>> between(const std::string& app, const std::string& since, const std::string& until) const;

  /// What was wrong with it when it was opened, of what no event tells yet: a line that was edited, removed, added or moved. Empty: nothing.
  const std::string& trouble() const { return trouble_; }

  /// Bytes of a last line that a crash had torn, and that were cut off when it was opened; 0: there was none.
  std::uint64_t torn() const { return torn_; }

  /// What somebody else did to it since it was opened, or since this was asked last, as an append found it: bytes behind its last line, which are cut off, or a file that
  /// became shorter. Empty: nothing.
  std::string take_intrusion() { return std::exchange(intrusion_, {}); }

  std::int64_t last() const { return *last_; }  ///< the highest number in it; 0 when it is empty. From any thread

 private:
  struct Place {
    std::uint64_t offset;
    std::int64_t number;
    std::uint32_t app;
  };

  EventLog(std::filesystem::path path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<void> scan();
  void note(std::string_view line, std::uint64_t offset);
  void check(std::string_view line);
  std::uint32_t app_number(std::string_view app);
  Result<std::string> line_at(std::size_t place) const;
  Result<void> look_for_strangers();
  Result<void> cut_back();  ///< takes off what a failed append may have left behind the last line

  std::filesystem::path path_;
  Fd file_;
  std::uint64_t size_ = 0;
  std::unique_ptr<std::atomic<std::int64_t>> last_ = std::make_unique<std::atomic<std::int64_t>>(0);
  std::string last_hash_;
  std::string trouble_;
  std::string intrusion_;
  std::uint64_t torn_ = 0;
  bool has_remains_ = false;  ///< of an append that failed, and whose undoing did
  std::vector<Place> places_;
  std::map<std::string, std::uint32_t, std::less<>> apps_;
};

}  // namespace berth::store
