#include "core/bundle/paths.h"

#include <algorithm>

#include "core/utf8.h"

namespace berth::bundle {
namespace {

constexpr std::size_t kLongestPart = 255;

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = first_code_point(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string wrong_text(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > kLongestPath) return "is longer than 1024 bytes";
  if (has_control(text)) return "has control characters";
  if (!is_utf8(text)) return "is not UTF-8";
  if (text.front() == '/') return "is absolute";
  return {};
}

std::string wrong_part(std::string_view part) {
  if (part.empty()) return "has an empty part";
  if (part.size() > kLongestPart) return "has a part of more than 255 bytes";
  return {};
}

/// Takes the first part of a path from its front.
std::string_view take_part(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return part;
}

}  // namespace

std::string wrong_path(std::string_view path) {
  if (std::string wrong = wrong_text(path); !wrong.empty()) return wrong;
  if (path.ends_with('/')) return "has an empty part";
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view part = take_part(rest);
    if (std::string wrong = wrong_part(part); !wrong.empty()) return wrong;
    if (part == "." || part == "..") return "has a part '.' or '..'";
  }
  return {};
}

std::string wrong_target(std::string_view path, std::string_view target) {
  if (std::string wrong = wrong_text(target); !wrong.empty()) return "target " + wrong;
  if (target.ends_with('/')) return "target has an empty part";
  auto depth = std::ranges::count(path, '/');
  bool down = false;
  for (std::string_view rest = target; !rest.empty();) {
    const std::string_view part = take_part(rest);
    if (std::string wrong = wrong_part(part); !wrong.empty()) return "target " + wrong;
    if (part == ".") continue;
    if (part != "..") {
      down = true;
      continue;
    }
    if (down) return "target goes down and up again";
    if (--depth < 0) return "target leads out of the tree";
  }
  return {};
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace berth::bundle
