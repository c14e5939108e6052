#include "cli/output/progress.h"

#include "cli/output/text.h"

namespace berth::cli {

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  if (width < 3) return {};
  const std::size_t inside = width - 2;
  const double part = total == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(part * static_cast<double>(inside));
  return "[" + std::string(full, '#') + std::string(inside - full, '.') + "]";
}

void Progress::live(std::string_view text) {
  if (!drawn()) return;
  // One column is left free: a full line would wrap and could not be drawn over.
  console_.print("\r\x1b[K" + shorten(printable(text), static_cast<std::size_t>(console_.width) - 1));
  live_ = true;
}

void Progress::happened(std::string_view text) {
  clear();
  console_.note(text);
}

void Progress::clear() {
  if (live_) console_.print("\r\x1b[K");
  live_ = false;
}

}  // namespace berth::cli
