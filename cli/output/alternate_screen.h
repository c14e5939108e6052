#pragma once

#include <termios.h>

#include <string>
#include <string_view>

namespace berth::cli {

struct ScreenSize {
  int rows = 24, columns = 80;
};

/// What a terminal of that size shows of `text`: lines that are too long go on in the next row, colours included; what has no room is counted in the last row. The
/// rows have newlines between them and none at their end.
std::string fitted(std::string_view text, ScreenSize size);

/// A terminal whose screen is drawn over again and again, and as it was before when this is gone. What is typed is not shown meanwhile.
class AlternateScreen {
 public:
  /// Draws at `out`; keys come from `in`, where that is a terminal.
  AlternateScreen(int out, int in);
  ~AlternateScreen() { leave(); }
  AlternateScreen(const AlternateScreen&) = delete;
  AlternateScreen& operator=(const AlternateScreen&) = delete;

  void enter();
  /// Puts the terminal back; `enter` may follow, as after a stop by Ctrl-Z.
  void leave();

  /// What there is room for; the last column stays free, since what erases the rest of a row would erase it.
  ScreenSize size() const;

  /// Shows `text` in the place of what is shown, by one write, so that nothing flickers. False where the terminal is gone.
  bool draw(std::string_view text);

 private:
  int out_, in_;
  termios before_{};
  bool entered_ = false, keys_ = false;
};

}  // namespace berth::cli
