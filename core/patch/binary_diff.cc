#include "core/patch/binary_diff.h"

#include <algorithm>

#include "core/patch/suffix_array.h"

namespace berth::patch {
namespace {

constexpr std::size_t kLongestLookup = 32u << 10;  ///< bytes of a match that are asked for at once; more of it follows then
constexpr std::int64_t kWorthMoving = 8;           ///< bytes that a match elsewhere has to have more in common than going on where we are

/// A stretch of the new that lies alike in the old: most of its bytes are the same, not all.
struct Alike {
  std::int64_t fresh = 0, before = 0;  ///< where it begins
  std::int64_t length = 0;
};

class Comparing {
 public:
  Comparing(std::string_view before, std::string_view fresh) : before_(before), fresh_(fresh), suffixes_(suffix_array(before)) {}

  std::vector<Alike> run() {
    std::int64_t fresh_size = size_of(fresh_);
    Alike last;  // its length is not known before the next one is
    while (scan_ < fresh_size) {
      const Match match = next_match(last);
      if (match.length == same_ && scan_ != fresh_size) continue;
      const Alike next{.fresh = scan_, .before = match.position, .length = 0};
      finish(last, next);
    }
    return std::move(found_);
  }

 private:
  static std::int64_t size_of(std::string_view text) { return static_cast<std::int64_t>(text.size()); }
  bool same(std::int64_t fresh, std::int64_t before) const {
    return before >= 0 && before < size_of(before_) && before_[static_cast<std::size_t>(before)] == fresh_[static_cast<std::size_t>(fresh)];
  }

  /// The next place that has clearly more in common with some other part of the old than with the one that we are in.
  Match next_match(const Alike& last) {
    Match match;
    same_ = 0;
    scan_ += length_;
    const std::int64_t offset = last.before - last.fresh;
    std::int64_t counted = scan_;  // `same_` is of the bytes from `scan_` up to here
    for (; scan_ < size_of(fresh_); ++scan_) {
      match = longest_match(before_, suffixes_, fresh_.substr(static_cast<std::size_t>(scan_), kLongestLookup));
      for (; counted < scan_ + match.length; ++counted) same_ += same(counted, counted + offset) ? 1 : 0;
      if ((match.length == same_ && match.length != 0) || match.length > same_ + kWorthMoving) break;
      same_ -= same(scan_, scan_ + offset) && counted > scan_ ? 1 : 0;
      counted = std::max(counted, scan_ + 1);
    }
    length_ = match.length;
    return match;
  }

  /// How far the bytes from `last` on are alike: as far as more than half of them are the same.
  std::int64_t forward(const Alike& last) const {
    std::int64_t score = 0, best = 0, length = 0;
    for (std::int64_t i = 0; last.fresh + i < scan_ && last.before + i < size_of(before_);) {
      score += same(last.fresh + i, last.before + i) ? 1 : 0;
      ++i;
      if (score * 2 - i > best * 2 - length) {
        best = score;
        length = i;
      }
    }
    return length;
  }

  /// The same before `next`, backwards.
  std::int64_t backward(const Alike& last, const Alike& next) const {
    if (scan_ >= size_of(fresh_)) return 0;
    std::int64_t score = 0, best = 0, length = 0;
    for (std::int64_t i = 1; scan_ >= last.fresh + i && next.before >= i; ++i) {
      score += same(scan_ - i, next.before - i) ? 1 : 0;
      if (score * 2 - i > best * 2 - length) {
        best = score;
        length = i;
      }
    }
    return length;
  }

  void finish(Alike& last, const Alike& next) {
    std::int64_t ahead = forward(last), behind = backward(last, next);
    if (const std::int64_t overlap = last.fresh + ahead - (scan_ - behind); overlap > 0) {
      // Where both claim the bytes between, the cut is where it costs least.
      std::int64_t score = 0, best = 0, cut = 0;
      for (std::int64_t i = 0; i < overlap; ++i) {
        const std::int64_t at = last.fresh + ahead - overlap + i;
        score += same(at, last.before + ahead - overlap + i) ? 1 : 0;
        score -= same(at, next.before - behind + i) ? 1 : 0;
        if (score > best) {
          best = score;
          cut = i + 1;
        }
      }
      ahead += cut - overlap;
      behind -= cut;
    }
    last.length = ahead;
    found_.push_back(last);
    last = {.fresh = scan_ - behind, .before = next.before - behind, .length = 0};
  }

  std::string_view before_, fresh_;
  std::vector<std::int32_t> suffixes_;
  std::vector<Alike> found_;
  std::int64_t scan_ = 0;    ///< in the new
  std::int64_t length_ = 0;  ///< of the last match
  std::int64_t same_ = 0;    ///< bytes of the last match that are the same where we are
};

}  // namespace

ProgramDifference::ProgramDifference(std::string_view old, std::uint64_t start, std::uint64_t size, std::string_view fresh) : old_(old), fresh_(fresh) {
  for (const Alike& alike : Comparing(old.substr(start, size), fresh).run()) {
    if (alike.length == 0) continue;
    regions_.push_back({.old = start + static_cast<std::uint64_t>(alike.before),
                        .fresh = static_cast<std::uint64_t>(alike.fresh),
                        .length = static_cast<std::uint64_t>(alike.length)});
  }
}

Script ProgramDifference::script(std::uint64_t& place, std::uint64_t made, bool relocated) const {
  Script script;
  std::vector<Region> moved = regions_;
  for (Region& region : moved) region.fresh += made;
  const Relocation relocation(relocated ? moved : std::vector<Region>());
  script.steps.push_back({.another = true});
  std::uint64_t done = 0;
  std::string expected;
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    const Region& region = moved[i];
    script.append(fresh_.substr(done, regions_[i].fresh - done));
    script.steps.back().seek += static_cast<std::int64_t>(region.old) - static_cast<std::int64_t>(place);
    expected.clear();
    if (std::uint64_t at = 0; relocated) relocation.expect(old_, region, at, region.length, expected);
    else expected = old_.substr(region.old, region.length);
    for (std::size_t k = 0; k < expected.size(); ++k) script.differences += static_cast<char>(fresh_[regions_[i].fresh + k] - expected[k]);
    script.steps.push_back({.added = region.length, .relocated = relocated});
    place = region.old + region.length;
    done = regions_[i].fresh + region.length;
  }
  script.append(fresh_.substr(done));
  return script;
}

}  // namespace berth::patch
