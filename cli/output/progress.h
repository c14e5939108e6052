#pragma once

#include <string>
#include <string_view>

#include "cli/console.h"

namespace berth::cli {

/// "[#######.......]": `done` of `total`, in `width` columns, brackets included.
std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width);

/// What is under way: on a terminal that can do so a line that is drawn over itself, elsewhere one line for each thing that happened.
class Progress {
 public:
  explicit Progress(const Console& console) : console_(console) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// What is going on now; on a terminal only.
  void live(std::string_view text);
  /// Something that happened, to stay.
  void happened(std::string_view text);
  void clear();

 private:
  bool drawn() const { return console_.draws && !console_.quiet && !console_.json; }

  const Console& console_;
  bool live_ = false;
};

}  // namespace berth::cli
