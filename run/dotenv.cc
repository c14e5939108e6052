#include "run/dotenv.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/utf8.h"

namespace berth::run {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// Reads one `.env` from its beginning to its end.
class DotenvReader {
 public:
  DotenvReader(std::string_view text, std::string_view name) : rest_(text), name_(name) {}

  Result<std::map<std::string, std::string>> all() {
    std::map<std::string, std::string> values;
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    for (; !rest_.empty(); end_line()) {
      skip_blanks();
      if (rest_.empty() || rest_.front() == '\n') continue;
      if (rest_.front() == '#') {
        take_line();
        continue;
      }
      BERTH_TRY(const std::string variable, variable_name());
      BERTH_TRY(std::string value, this->value(variable));
      if (value.find('\0') != std::string::npos) return refuse(fmt::format("the value of {} has a NUL in it", variable));
      values[variable] = std::move(value);
    }
    return values;
  }

 private:
  std::unexpected<Error> refuse(std::string_view what) const { return fail(Errc::usage, fmt::format("{}:{}: {}", name_, line_, what)); }

  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size())); }

  /// What is left of the line, which is passed over; not its end.
  std::string_view take_line() {
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(line.size());
    return line;
  }

  void end_line() {
    if (rest_.empty()) return;
    rest_.remove_prefix(1);
    ++line_;
  }

  Result<std::string> variable_name() {
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return refuse("NAME=value is expected, and there is no '='");
    std::string_view name = line.substr(0, equals);
    constexpr std::string_view kExport = "export ";
    if (name.starts_with(kExport)) name.remove_prefix(kExport.size());
    while (!name.empty() && kBlanks.find(name.front()) != std::string_view::npos) name.remove_prefix(1);
    while (!name.empty() && kBlanks.find(name.back()) != std::string_view::npos) name.remove_suffix(1);
    if (!is_variable_name(name)) return refuse(fmt::format("'{}' is no variable's name", as_utf8(name.substr(0, 100))));
    rest_.remove_prefix(equals + 1);
    return std::string(name);
  }

  Result<std::string> value(const std::string& variable) {
    const std::size_t before = rest_.size();
    skip_blanks();
    const bool is_behind_blank = rest_.size() < before;
    if (rest_.starts_with('\'')) return quoted(variable, '\'');
    if (rest_.starts_with('"')) return quoted(variable, '"');
    std::string_view text = take_line();
    for (std::size_t hash = text.find('#'); hash != std::string_view::npos; hash = text.find('#', hash + 1)) {
      const bool begins_comment = hash == 0 ? is_behind_blank : kBlanks.find(text[hash - 1]) != std::string_view::npos;
      if (!begins_comment) continue;
      text = text.substr(0, hash);
      break;
    }
    while (!text.empty() && kBlanks.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
    return std::string(text);
  }

  Result<std::string> quoted(const std::string& variable, char quote) {
    const int begun = line_;
    std::string value;
    rest_.remove_prefix(1);
    for (;; rest_.remove_prefix(1)) {
      if (rest_.empty()) {
        line_ = begun;
        return refuse(fmt::format("the value of {} begins with {} and has no end", variable, quote));
      }
      char letter = rest_.front();
      if (letter == quote) break;
      if (letter == '\n') ++line_;
      if (letter == '\\' && quote == '"' && rest_.size() > 1) {
        constexpr std::string_view kEscaped = "nrt\\\"$", kMeant = "\n\r\t\\\"$";
        if (const auto which = kEscaped.find(rest_[1]); which != std::string_view::npos) {
          letter = kMeant[which];
          rest_.remove_prefix(1);
        }
      }
      value += letter;
    }
    rest_.remove_prefix(1);
    skip_blanks();
    const std::string_view behind = take_line();
    if (!behind.empty() && behind.front() != '#') return refuse(fmt::format("something stands behind the value of {}", variable));
    return value;
  }

  std::string_view rest_;
  std::string_view name_;
  int line_ = 1;
};

}  // namespace

Result<std::map<std::string, std::string>> parse_dotenv(std::string_view text, std::string_view name) { return DotenvReader(text, name).all(); }

}  // namespace berth::run
