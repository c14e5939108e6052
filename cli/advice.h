#pragma once

#include <string>
#include <string_view>

namespace berth::cli {

/// `text` of ours, or of berthd, as whoever asked `node` needs it: commands in it that ask a berthd have "--node NODE". A command stands in quotes, or at the
/// beginning of a line, or after "see: " or a semicolon. Without a node the text is as it was.
std::string for_node(std::string_view text, const std::string& node);

/// `word` as a shell reads it as one: in single quotes where it has more than letters, digits and what is plain.
std::string shell_word(const std::string& word);

}  // namespace berth::cli
