#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/publish/ignore_pattern.h"
#include "core/result.h"

namespace berth::publish {

/// What of a folder is no part of a build.
///
/// Always left out: at the top `berth.toml` and `.berthignore`, which are read here, and `environments/`, the configuration; anywhere `.env`,
/// `.git`, `.hg` and `.svn`. `.berthignore` says what else, with the rules of `.gitignore`: a pattern a line; `#` begins a comment; `*`, `?` and
/// `[…]` stop at a `/`, `**` does not; a `/` in front or inside binds the pattern to the top, one at the end means folders; `!` takes back what an
/// earlier line left out, but not from within a folder that is left out; a backslash takes the meaning from what follows it: `\#`, `\!`, `\*`, and a blank
/// at the end of a line. Of a line that ends with CR LF, the CR is not part.
class IgnoreRules {
 public:
  /// Reads `.berthignore`, if there is one. `Errc::usage` for one that is too long.
  static Result<IgnoreRules> of(const std::filesystem::path& folder);
  static IgnoreRules parse(std::string_view text);

  bool leaves_out(std::string_view path, bool is_folder) const;

 private:
  struct Rule {
    std::vector<SegmentPattern> segments;  // one, where the pattern is for any folder
    bool anywhere = false;
    bool folders_only = false;
    bool takes_back = false;
  };
  static bool matches(const Rule& rule, const std::vector<std::string_view>& path);

  std::vector<Rule> rules_;
};

}  // namespace berth::publish
