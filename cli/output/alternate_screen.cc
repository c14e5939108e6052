#include "cli/output/alternate_screen.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output/charset.h"

namespace berth::cli {
namespace {

// The other screen, without a cursor, and lines that do not go on in the next row by themselves: a character that is wider than we count then spoils its own row alone.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
// A terminal that knows them shows all between at once; others ignore them.
constexpr std::string_view kBegin = "\x1b[?2026h", kEnd = "\x1b[?2026l";

/// Where the escape sequence that begins at `at` ends; of ours, which colour.
std::size_t end_of_colour(std::string_view text, std::size_t at) {
  const auto end = text.find('m', at);
  return end == std::string_view::npos ? text.size() : end + 1;
}

/// A line in rows of at most `width` columns, broken at spaces where that leaves rows more than half full, each with the colour that it has there.
class Rows {
 public:
  Rows(std::size_t width, std::vector<std::string>& rows) : width_(width), rows_(rows) {}

  void add(std::string_view line) {
    for (std::size_t at = 0; at < line.size();) {
      std::size_t end = at + 1;
      if (line[at] == '\x1b') {
        end = end_of_colour(line, at);
        const std::string_view escape = line.substr(at, end - at);
        colour_ = escape == "\x1b[0m" ? "" : colour_ + std::string(escape);
        row_ += escape;
      } else {
        while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) ++end;
        add_character(line.substr(at, end - at));
      }
      at = end;
    }
    end_row(colour_);
  }

 private:
  struct Space {
    std::size_t at = 0, used = 0;
    std::string colour;
  };

  void add_character(std::string_view character) {
    const bool is_space = character == " ";
    if (used_ == width_) {
      break_row(is_space);
      if (is_space) return;
    }
    if (is_space) space_ = {.at = row_.size(), .used = used_, .colour = colour_};
    row_ += character;
    ++used_;
  }
  void break_row(bool at_space) {
    std::string rest;
    std::string colour = colour_;
    std::size_t rest_used = 0;
    if (space_.used > width_ / 2 && !at_space) {
      rest = row_.substr(space_.at + 1);
      rest_used = used_ - space_.used - 1;
      colour = space_.colour;
      row_.resize(space_.at);
    }
    end_row(colour);
    row_ = colour + rest;
    used_ = rest_used;
    space_ = {};
  }
  void end_row(const std::string& colour) { rows_.push_back(std::exchange(row_, {}) + (colour.empty() ? "" : "\x1b[0m")); }

  std::size_t width_;
  std::vector<std::string>& rows_;
  std::string row_, colour_;
  std::size_t used_ = 0;
  Space space_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, 1000);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string fitted(std::string_view text, ScreenSize size) {
  const auto most = static_cast<std::size_t>(std::max(size.rows, 1));
  std::vector<std::string> rows;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    Rows(static_cast<std::size_t>(std::max(size.columns, 1)), rows).add(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (rows.size() > most) {
    const std::size_t left = rows.size() - most + 1;
    rows.resize(most - 1);
    rows.push_back(fmt::format("… {} more", left));
  }
  return fmt::format("{}", fmt::join(rows, "\n"));
}

AlternateScreen::AlternateScreen(int out, int in) : out_(out), in_(in) { enter(); }

void AlternateScreen::enter() {
  if (entered_) return;
  entered_ = true;
  keys_ = ::tcgetattr(in_, &before_) == 0;
  if (keys_) {
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    keys_ = ::tcsetattr(in_, TCSANOW, &quiet) == 0;
  }
  write_all(out_, kEnter);
}

void AlternateScreen::leave() {
  if (!entered_) return;
  entered_ = false;
  write_all(out_, kLeave);
  if (keys_) ::tcsetattr(in_, TCSANOW, &before_);
}

ScreenSize AlternateScreen::size() const {
  winsize size{};
  if (::ioctl(out_, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col < 2) return {.rows = 24, .columns = 79};
  return {.rows = size.ws_row, .columns = size.ws_col - 1};
}

bool AlternateScreen::draw(std::string_view text) {
  const bool plain = is_ascii_terminal(out_);
  const std::string shown = fitted(plain ? in_ascii(text) : text, size());
  const std::string rows = plain ? in_ascii(shown) : shown;
  std::string frame(kBegin);
  frame += "\x1b[H";
  for (const char c : rows) frame += c == '\n' ? "\x1b[K\r\n" : std::string(1, c);
  frame += "\x1b[K\x1b[J";  // the rest of the row, and whatever is below it
  frame += kEnd;
  return write_all(out_, frame);
}

}  // namespace berth::cli
