#include "daemon/ship/sinks/redaction.h"

#include <algorithm>
#include <cstring>

#include <fmt/core.h>
#include <regex.h>

#include "daemon/ship/sinks/line_text.h"

namespace berth::ship {
namespace {

// The engine of the C library takes memory by the length of what it looks at, so that long texts are looked at in pieces that overlap.
constexpr std::size_t kRedactionPiece = 64u << 10, kRedactionOverlap = 4u << 10;
constexpr std::size_t kShortestSecretLine = 16;

/// Whether the expression refers back to a group.
bool refers_back(std::string_view expression) {
  for (std::size_t i = 0; i + 1 < expression.size(); ++i) {
    if (expression[i] != '\\') continue;
    if (expression[i + 1] >= '1' && expression[i + 1] <= '9') return true;
    ++i;
  }
  return false;
}

}  // namespace

struct PatternRedactor::Compiled {
  regex_t engine{};
  bool valid = false;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (valid) regfree(&engine);
  }

  /// The first match in `text`, which is the group's where there is one; `whole` is all of it. `begins`: the text begins a line.
  bool find(std::string_view text, bool begins, regmatch_t& part, regmatch_t& whole) const {
    regmatch_t found[2] = {{.rm_so = 0, .rm_eo = static_cast<regoff_t>(text.size())}, {.rm_so = -1, .rm_eo = -1}};
    if (regexec(&engine, text.data(), 2, found, REG_STARTEND | (begins ? 0 : REG_NOTBOL)) != 0) return false;
    whole = found[0];
    part = engine.re_nsub > 0 && found[1].rm_so >= 0 ? found[1] : found[0];
    return true;
  }

  void redact(std::string& text) const;
};

void PatternRedactor::Compiled::redact(std::string& text) const {
  std::string out;
  std::size_t at = 0, done = 0;  // where the next piece begins, and up to where `out` has it all
  while (at < text.size()) {
    const std::string_view piece = std::string_view(text).substr(at, kRedactionPiece);
    const bool is_last = at + piece.size() == text.size();
    regmatch_t part{}, whole{};
    if (!find(piece, at == 0 || text[at - 1] == '\n', part, whole)) {
      if (is_last) break;
      at += piece.size() - kRedactionOverlap;
      continue;
    }
    // What reaches the end of the piece may go on behind it.
    if (static_cast<std::size_t>(whole.rm_eo) == piece.size() && !is_last && whole.rm_so > 0) {
      at += static_cast<std::size_t>(whole.rm_so);
      continue;
    }
    if (part.rm_eo > part.rm_so) {
      out.append(text, done, at + static_cast<std::size_t>(part.rm_so) - done);
      out += kRedacted;
      done = at + static_cast<std::size_t>(part.rm_eo);
    }
    at += std::max<std::size_t>(static_cast<std::size_t>(whole.rm_eo), 1);
  }
  if (done == 0) return;
  out.append(text, done);
  text = std::move(out);
}

Result<PatternRedactor> PatternRedactor::make(const std::vector<std::string>& patterns) {
  PatternRedactor redactor;
  for (const std::string& pattern : patterns) {
    const auto wrong = [&](std::string_view why) { return fail(Errc::usage, fmt::format("the regular expression '{}' {}", pattern, why)); };
    if (refers_back(pattern)) return wrong("refers back to a group, which can take for ever: write it without");
    auto compiled = std::make_shared<Compiled>();
    if (const int error = regcomp(&compiled->engine, pattern.c_str(), REG_EXTENDED | REG_NEWLINE); error != 0) {
      char reason[256];
      regerror(error, &compiled->engine, reason, sizeof reason);
      return wrong(fmt::format("is wrong: {}", reason));
    }
    compiled->valid = true;
    regmatch_t part{}, whole{};
    if (compiled->find("", true, part, whole)) return wrong("matches the empty text: say what is to be taken out");
    redactor.compiled_.push_back(std::move(compiled));
  }
  return redactor;
}

void PatternRedactor::redact(std::string& text) const {
  for (const auto& compiled : compiled_) compiled->redact(text);
}

void KnownSecrets::add_needle(std::string_view needle) {
  const auto same = [needle](const crypto::Secret& known) { return known.view() == needle; };
  if (std::ranges::any_of(needles_, same)) return;
  const auto place = std::ranges::find_if(needles_, [needle](const crypto::Secret& known) { return known.view().size() < needle.size(); });
  needles_.insert(place, crypto::Secret(std::string(needle)));
}

bool KnownSecrets::add(std::string_view value) {
  while (value.ends_with('\n')) value.remove_suffix(1);
  if (value.size() < kShortest) return false;
  add_needle(value);
  std::string quoted;
  append_json(quoted, value);
  add_needle(std::string_view(quoted).substr(1, quoted.size() - 2));
  crypto::wipe(quoted);
  if (value.find('\n') == std::string_view::npos) return true;
  for (std::string_view rest = value; !rest.empty();) {
    const auto end = rest.find('\n');
    if (const std::string_view line = rest.substr(0, end); line.size() >= kShortestSecretLine) add_needle(line);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return true;
}

void KnownSecrets::redact(std::string& text) const {
  for (const crypto::Secret& needle : needles_) {
    const std::string_view value = needle.view();
    for (std::size_t at = 0; at < text.size();) {
      const void* found = ::memmem(text.data() + at, text.size() - at, value.data(), value.size());
      if (found == nullptr) break;
      at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
      text.replace(at, value.size(), kRedacted);
      at += kRedacted.size();
    }
  }
}

}  // namespace berth::ship
