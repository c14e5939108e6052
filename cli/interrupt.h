#pragma once

#include <string>

namespace berth::cli {

/// While it lives, Ctrl-C prints a text on stderr and ends the program with 130, as shells expect of an interrupted one.
class InterruptNotice {
 public:
  explicit InterruptNotice(const std::string& text);
  ~InterruptNotice();
  InterruptNotice(const InterruptNotice&) = delete;
  InterruptNotice& operator=(const InterruptNotice&) = delete;
};

}  // namespace berth::cli
