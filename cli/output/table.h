#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// What a colour says; without colours nothing is lost.
enum class Tint { none, good, warning, bad, dim, bold };

/// `text` in that colour, where `colour` is on.
std::string tinted(std::string_view text, Tint tint, bool colour);

/// The colours that tell instances apart, by their place.
std::string tinted_by_number(std::string_view text, std::size_t number, bool colour);

struct Cell {
  std::string text;
  Tint tint = Tint::none;

  Cell(std::string text_, Tint tint_ = Tint::none) : text(std::move(text_)), tint(tint_) {}  // NOLINT: a text is a cell
  Cell(const char* text_) : text(text_) {}                                                  // NOLINT
};

/// Columns under a header, two spaces apart. The last column is shortened to the terminal's width, if there is one.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  /// `width` 0: nothing is shortened. Columns that are empty in every row are left out.
  std::string render(bool colour, int width) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace berth::cli
