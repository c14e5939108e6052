#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace berth::cli {

/// What `--help` prints for a verb; `path` is how it is called: {"berth", "repo", "init"}.
std::string help_text(const Verb& root, const Verb& verb, const std::vector<std::string>& path);

/// What `-h` prints: the same on a screen of 80 columns and 40 rows, without what is rare.
std::string short_help_text(const Verb& root, const Verb& verb, const std::vector<std::string>& path);

/// "berth deploy APP@RELEASE [options]".
std::string usage_line(const Verb& verb, const std::vector<std::string>& path);

/// `text` broken into lines of at most `width` columns, each after the first one indented.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

/// What a verb can end with: 0 and 2 always, and its own, in order.
std::vector<Exit> exits_of(const Verb& verb);

/// The same with what each means, those of `Verb::exit_texts` included.
std::vector<ExitText> exit_texts_of(const Verb& verb);

}  // namespace berth::cli
