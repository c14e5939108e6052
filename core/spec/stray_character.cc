#include "core/spec/stray_character.h"

namespace berth::spec {
namespace {

class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  std::optional<StrayCharacter> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (is_foreign()) return place_;
      if (c == '#') pass_comment();
      else if (!begins_string()) step();
      else if (!pass_string(c)) return place_;
    }
    return std::nullopt;
  }

 private:
  bool is_foreign() const { return at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80; }
  /// A quote in the middle of something begins nothing.
  bool begins_string() const {
    return (text_[at_] == '"' || text_[at_] == '\'') && (at_ == 0 || std::string_view(" \t\r\n=[{,.").find(text_[at_ - 1]) != std::string_view::npos);
  }
  bool is_blank() const { return at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos; }

  void step() {
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(text_[at_]) & 0xc0) != 0x80) {  // no continuation of UTF-8
      ++place_.column;
    }
    ++at_;
  }
  void pass_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') step();
  }
  /// False where it stopped at a stray character. One that is not closed ends with the line, or with the text.
  bool pass_string(char quote) {
    const std::string three(3, quote);
    const bool many_lines = text_.substr(at_).starts_with(three);
    const std::string_view end = std::string_view(three).substr(0, many_lines ? 3 : 1);
    for (std::size_t i = 0; i < end.size(); ++i) step();
    while (at_ < text_.size() && !text_.substr(at_).starts_with(end)) {
      if (!many_lines && text_[at_] == '\n') return true;
      const bool escapes = quote == '"' && text_[at_] == '\\';
      step();
      if (escapes && !pass_escaped()) return false;
    }
    for (std::size_t i = 0; i < end.size() && at_ < text_.size(); ++i) step();
    return true;
  }
  bool pass_escaped() {
    const bool skips = is_blank();
    while (is_blank()) step();
    if (is_foreign()) return false;
    if (!skips && at_ < text_.size()) step();
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  StrayCharacter place_;
};

}  // namespace

std::optional<StrayCharacter> stray_character(std::string_view text) { return Scan(text).run(); }

}  // namespace berth::spec
