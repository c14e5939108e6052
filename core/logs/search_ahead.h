#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/logs/line_search.h"
#include "core/logs/log_layout.h"

namespace berth::logs {

/// The lines of a segment that a search does not rule out.
class FoundLines {
 public:
  struct Line {
    std::uint64_t before = 0;  ///< lines of the segment in front of it
    std::string_view text;
  };
  void add(std::uint64_t before, std::string_view text);
  /// The next of them; valid while this lives.
  std::optional<Line> next();
  std::size_t bytes() const { return bytes_.size(); }

 private:
  struct Place {
    std::uint64_t before;
    std::size_t begin, size;
  };
  std::string bytes_;
  std::vector<Place> places_;
  std::size_t next_ = 0;
};

/// Searches rotated segments on threads, some ahead of who reads them.
class SearchAhead {
 public:
  /// `threads`: segments at a time, from 1 on.
  SearchAhead(LineSearch search, std::size_t threads) : search_(std::move(search)), threads_(threads) {}
  ~SearchAhead();
  SearchAhead(SearchAhead&&) noexcept = default;

  /// What was found in the first of `segments`; those after it are begun. `segments` do not change any more. Empty where it had too much in it, or could not be
  /// read: then it is for its reader to read it line by line.
  std::optional<FoundLines> take(std::span<const Segment> segments);

 private:
  using Found = std::optional<FoundLines>;
  LineSearch search_;
  std::size_t threads_;
  bool of_use_ = true;  ///< nothing had too much in it
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
  std::map<std::uint64_t, std::future<Found>> begun_;  ///< by first sequence
};

}  // namespace berth::logs
