#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace berth::cli {

/// What `berth help` prints of a verb; `path` is how it is called: {"berth", "repo", "init"}.
std::string help_text(const Verb& root, const Verb& verb, const std::vector<std::string>& path);

/// What `--help` and `-h` print: the same on a screen of 80 columns and 24 rows, without what is rare, a row for each thing that it takes, and one example.
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
