#include "core/patch/script.h"

#include <algorithm>

#include "core/patch/relocation.h"

namespace berth::patch {
namespace {

constexpr std::string_view kMagic("berthpt1", 8);
constexpr std::size_t kPiece = 256u << 10;

void put_size(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

std::uint64_t size_at(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// Seven bits a byte, the lowest first; all but the last byte have the eighth bit set.
void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// Small numbers of either sign as small ones without.
std::uint64_t folded(std::int64_t value) { return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63); }
std::int64_t unfolded(std::uint64_t value) { return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1)); }

std::unexpected<Error> refuse(const std::string& what) { return fail(Errc::trust, "the patch's script " + what); }

/// A script in its parts, nothing of which reaches out of the script or the old.
class Applying {
 public:
  Applying(std::string_view script, std::string_view old, const std::function<Result<void>(std::string_view)>& sink)
      : script_(script), old_(old), sink_(sink) {}

  Result<void> read(std::uint64_t size) {
    BERTH_CHECK(cut(size));
    std::uint64_t place = 0, differences = differences_.size(), literals = literals_.size();
    while (!numbers_.empty()) {
      if (steps_.size() == kMostSteps) return refuse("has too many steps");
      BERTH_TRY(const Step step, next());
      if (step.added > differences || step.literal > literals) return refuse("has a step that takes more bytes than there are");
      if (step.added > old_.size() - place) return refuse("has a step that reads behind the end of the old build");
      differences -= step.added;
      literals -= step.literal;
      place += step.added;
      const bool back = step.seek < 0;
      const std::uint64_t distance = back ? ~static_cast<std::uint64_t>(step.seek) + 1 : static_cast<std::uint64_t>(step.seek);
      if (distance > (back ? place : old_.size() - place)) return refuse("has a step that leads out of the old build");
      place = back ? place - distance : place + distance;
      steps_.push_back(step);
    }
    if (differences > 0 || literals > 0) return refuse("has bytes that no step uses");
    return {};
  }

  Result<void> run() {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (i == 0 || step.another) relocation_ = Relocation(regions_from(i));
      if (step.added > 0) BERTH_CHECK(add(step));
      BERTH_CHECK(copy(step.literal));
      place_ += static_cast<std::uint64_t>(step.seek);
    }
    return {};
  }

 private:
  Result<void> cut(std::uint64_t size) {
    if (script_.size() < kScriptHeader || !script_.starts_with(kMagic)) return refuse("is none of this format");
    const std::uint64_t steps = size_at(script_, 8), differences = size_at(script_, 16), literals = size_at(script_, 24);
    std::string_view rest = script_.substr(kScriptHeader);
    for (const std::uint64_t part : {steps, differences, literals}) {
      if (part > rest.size()) return refuse("is cut off");
      rest.remove_prefix(part);
    }
    if (!rest.empty()) return refuse("goes on after its end");
    if (differences + literals != size)
      return refuse("makes " + std::to_string(differences + literals) + " bytes, not the " + std::to_string(size) + " of the index");
    numbers_ = script_.substr(kScriptHeader, steps);
    differences_ = script_.substr(kScriptHeader + steps, differences);
    literals_ = script_.substr(kScriptHeader + steps + differences);
    return {};
  }

  Result<std::uint64_t> number() {
    std::uint64_t value = 0;
    for (int shift = 0; !numbers_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(numbers_.front());
      numbers_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return refuse("has a number that is cut off or too large");
  }

  Result<Step> next() {
    BERTH_TRY(const std::uint64_t added, number());
    BERTH_TRY(const std::uint64_t literal, number());
    BERTH_TRY(const std::uint64_t seek, number());
    return Step{.added = added >> 2, .literal = literal, .seek = unfolded(seek), .relocated = (added & 1) != 0, .another = (added & 2) != 0};
  }

  /// Of the program whose first step that is, while the steps before it are done.
  std::vector<Region> regions_from(std::size_t first) const {
    std::vector<Region> regions;
    std::uint64_t place = place_, made = made_;
    for (std::size_t i = first; i < steps_.size() && (i == first || !steps_[i].another); ++i) {
      if (steps_[i].relocated) regions.push_back({.old = place, .fresh = made, .length = steps_[i].added});
      place += steps_[i].added + static_cast<std::uint64_t>(steps_[i].seek);
      made += steps_[i].added + steps_[i].literal;
    }
    return regions;
  }

  Result<void> add(const Step& step) {
    const Region region{.old = place_, .fresh = made_, .length = step.added};
    for (std::uint64_t at = 0; at < region.length;) {
      piece_.clear();
      if (step.relocated) {
        relocation_.expect(old_, region, at, kPiece, piece_);
      } else {
        piece_ = old_.substr(place_ + at, std::min<std::uint64_t>(region.length - at, kPiece));
        at += piece_.size();
      }
      for (std::size_t i = 0; i < piece_.size(); ++i)
        piece_[i] = static_cast<char>(static_cast<unsigned char>(piece_[i]) + static_cast<unsigned char>(differences_[i]));
      BERTH_CHECK(sink_(piece_));
      differences_.remove_prefix(piece_.size());
    }
    place_ += step.added;
    made_ += step.added;
    return {};
  }

  Result<void> copy(std::uint64_t count) {
    made_ += count;
    while (count > 0) {
      const std::string_view piece = literals_.substr(0, std::min<std::uint64_t>(count, kPiece));
      BERTH_CHECK(sink_(piece));
      literals_.remove_prefix(piece.size());
      count -= piece.size();
    }
    return {};
  }

  std::string_view script_, old_;
  const std::function<Result<void>(std::string_view)>& sink_;
  std::string_view numbers_, differences_, literals_;  // what is left of them
  std::vector<Step> steps_;
  Relocation relocation_{{}};
  std::uint64_t place_ = 0;  // in the old
  std::uint64_t made_ = 0;
  std::string piece_;
};

}  // namespace

void Script::append(std::string_view bytes) {
  if (bytes.empty()) return;
  literals += bytes;
  if (!steps.empty() && steps.back().seek == 0) {
    steps.back().literal += bytes.size();
  } else {
    steps.push_back({.added = 0, .literal = bytes.size(), .seek = 0});
  }
}

void Script::append(const Script& other) {
  steps.insert(steps.end(), other.steps.begin(), other.steps.end());
  differences += other.differences;
  literals += other.literals;
}

std::string to_bytes(const Script& script) {
  std::string steps;
  for (const Step& step : script.steps) {
    put_number(steps, step.added << 2 | (step.another ? 2 : 0) | (step.relocated ? 1 : 0));
    put_number(steps, step.literal);
    put_number(steps, folded(step.seek));
  }
  std::string out(kMagic);
  for (const std::uint64_t size : {steps.size(), script.differences.size(), script.literals.size()}) put_size(out, size);
  out.reserve(out.size() + steps.size() + script.differences.size() + script.literals.size());
  return out += steps, out += script.differences, out += script.literals, out;
}

Result<void> apply(std::string_view script, std::string_view old, std::uint64_t size, const std::function<Result<void>(std::string_view)>& sink) {
  Applying applying(script, old, sink);
  BERTH_CHECK(applying.read(size));
  return applying.run();
}

}  // namespace berth::patch
