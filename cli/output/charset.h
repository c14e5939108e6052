#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace berth::cli {

/// Whether the locale of this process's environment (LC_ALL, LC_CTYPE, LANG) has UTF-8.
bool locale_has_utf8();

/// Whether `fd` is a terminal that UTF-8 would spoil. Whatever is no terminal takes UTF-8, in any locale: those that read pipes and files expect the same everywhere.
bool is_ascii_terminal(int fd);

/// `text`, which is UTF-8, in ASCII: "..." and "->" in the place of what has such a form, escapes (\u00e9) in the place of others.
std::string in_ascii(std::string_view text);

/// Whether stdout is such a terminal.
bool stdout_is_ascii();

/// Prints what is for people to `stream`: in ASCII where that is a terminal without UTF-8. False, with `errno`, where it was not taken.
bool put(std::FILE* stream, std::string_view text);

}  // namespace berth::cli
