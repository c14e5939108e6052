#include "cli/output/table.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/output/text.h"

namespace berth::cli {
namespace {

constexpr std::size_t kGap = 2;
/// The last column is not shortened below this: a line that wraps reads better than a word.
constexpr std::size_t kLeastLast = 20;

const char* code_of(Tint tint) {
  switch (tint) {
    case Tint::none: return "";
    case Tint::good: return "32";
    case Tint::warning: return "33";
    case Tint::bad: return "31;1";
    case Tint::dim: return "2";
    case Tint::bold: return "1";
  }
  return "";
}

}  // namespace

std::string tinted(std::string_view text, Tint tint, bool colour) {
  if (!colour || tint == Tint::none || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(tint), text);
}

std::string tinted_by_number(std::string_view text, std::size_t number, bool colour) {
  constexpr int codes[] = {36, 35, 34, 33, 32, 96, 95, 94};
  return colour ? fmt::format("\x1b[{}m{}\x1b[0m", codes[number % std::size(codes)], text) : std::string(text);
}

std::string Table::render(bool colour, int width) const {
  std::vector<std::size_t> widths(header_.size(), 0);
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(printable(row[i].text)));

  std::vector<std::size_t> shown;
  std::size_t before_last = 0;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], columns(header_[i]));
    shown.push_back(i);
  }
  if (shown.empty()) return {};
  for (const std::size_t i : shown)
    if (i != shown.back()) before_last += widths[i] + kGap;
  const std::size_t room = width <= 0 ? std::string::npos
                                      : std::max(kLeastLast, static_cast<std::size_t>(width) > before_last ? width - before_last : 0);

  const auto add = [&](std::string& text, const Cell& cell, std::size_t column) {
    const bool last = column == shown.back();
    const std::string safe = last ? shorten(printable(cell.text), room) : printable(cell.text);
    text += tinted(safe, cell.tint, colour);
    if (last) {
      while (text.ends_with(' ')) text.pop_back();
      text += '\n';
    } else {
      text.append(widths[column] - columns(safe) + kGap, ' ');
    }
  };
  std::string text;
  for (const std::size_t i : shown) add(text, Cell(header_[i], Tint::dim), i);
  for (const auto& row : rows_)
    for (const std::size_t i : shown) add(text, i < row.size() ? row[i] : Cell(""), i);
  return text;
}

}  // namespace berth::cli
