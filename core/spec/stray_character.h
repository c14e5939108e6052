#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::spec {

struct StrayCharacter {
  int line = 1, column = 1;  ///< from 1; columns count characters
};

/// The first character that is not ASCII and stands where TOML has no place for one: outside of quotes and comments, or right behind a backslash (or
/// behind the spaces and line ends that a backslash skips). toml++ has undefined behaviour on some of those, so they are looked for before it reads.
std::optional<StrayCharacter> stray_character(std::string_view text);

/// What some editors write in front of a text.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// What is wrong with it, for people.
inline constexpr const char* kStrayCharacter = "a character that is not ASCII stands outside of quotes; put the key or text in quotes";

}  // namespace berth::spec
