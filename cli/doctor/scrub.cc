#include "cli/doctor/scrub.h"

#include <algorithm>
#include <initializer_list>

#include "cli/doctor/addresses.h"

namespace berth::cli::doctor {
namespace {

constexpr std::size_t kShortest = 4;  ///< of a secret that is looked for; a shorter one is in every text
constexpr std::string_view kReferences[] = {"file:", "credential:", "env:"};
constexpr std::string_view kSchemes[] = {"bearer ", "basic ", "digest "};
constexpr std::string_view kCommand = "command:";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

bool begins_with_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() && std::ranges::equal(text.substr(0, lower_case.size()), lower_case, {}, lower);
}

std::string without(std::string_view text, const std::vector<std::string>& secrets) {
  std::string out(text);
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortest) continue;
    for (std::size_t at = out.find(secret); at != std::string::npos; at = out.find(secret, at + kRedacted.size())) out.replace(at, secret.size(), kRedacted);
  }
  return out;
}

/// Also of one that is cut off.
std::string without_private_keys(std::string text) {
  constexpr std::string_view begin = "PRIVATE KEY-----", end = "-----END";
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    at += begin.size();
    const std::size_t last = std::min(text.find(end, at), text.size());
    text.replace(at, last - at, kRedacted);
    const std::size_t next = text.find(begin, at);  // of the line that ends it
    if (next != std::string::npos) at = next + begin.size();
  }
  return text;
}

/// How much of `text` is one of the keys; 0: none.
std::size_t key_among(std::string_view text, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (begins_with_ignoring_case(text, name) && (text.size() == name.size() || !is_word(text[name.size()]))) return name.size();
  return 0;
}

/// One whose value is secret.
std::size_t secret_key(std::string_view text) {
  return key_among(text, {"access_token", "refresh_token", "auth_token", "token", "password", "passphrase", "passwd", "client_secret", "secret_key", "secret", "api_key", "apikey", "api-key", "authorization"});
}

/// One whose value is an address, perhaps one without a scheme.
std::size_t address_key(std::string_view text) { return key_among(text, {"url", "proxy", "http_proxy", "https_proxy", "all_proxy"}); }

std::size_t blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

/// Where a word ends that begins at `at`.
std::size_t end_of_word(std::string_view text, std::size_t at) { return std::min(text.find_first_of(" \t\r\n,;&})", at), text.size()); }

/// Where a value ends that begins at `at`: behind the quote that closes it, or before what separates. "Bearer" is not all of one.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return at;
  const char quote = text[at];
  if (quote != '"' && quote != '\'') {
    const std::size_t end = end_of_word(text, at);
    const bool is_scheme = std::ranges::any_of(kSchemes, [&](std::string_view scheme) { return end - at == scheme.size() - 1 && begins_with_ignoring_case(text.substr(at), scheme.substr(0, end - at)); });
    return is_scheme ? end_of_word(text, blanks(text, end)) : end;
  }
  const std::string three(3, quote);
  if (text.substr(at).starts_with(three)) return std::min(text.find(three, at + 3), text.size() - 3) + 3;
  for (std::size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\\' && quote == '"') ++i;
    else if (text[i] == quote) return i + 1;
  }
  return std::min(text.find('\n', at), text.size());
}

/// Whether it is an address that was looked at as one.
bool has_scheme(std::string_view text) {
  const std::size_t scheme = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
  return scheme != std::string_view::npos && (text.substr(scheme).starts_with("://") || text.substr(scheme).starts_with(":\\"));
}

/// What is shown of an address without a scheme: neither who asks nor more than the host.
std::string shown_place(std::string_view text) {
  const std::size_t path = std::min(text.find_first_of("/?#"), text.size());
  if (text.substr(path).contains('@')) return std::string(kRedacted);
  const std::size_t who = text.substr(0, path).rfind('@');
  std::string out = who == std::string_view::npos ? std::string() : std::string(kRedacted) + "@";
  out += text.substr(who == std::string_view::npos ? 0 : who + 1, path - (who == std::string_view::npos ? 0 : who + 1));
  if (path + 1 < text.size()) out.append(text.substr(path, 1)).append(kRedacted);
  return out;
}

/// What is shown of a value: a reference as it stands, a command without its arguments, of an address what is no secret, of anything else nothing.
std::string shown(std::string_view value, bool is_address) {
  if (value.empty()) return {};
  const bool quoted = value.front() == '"' || value.front() == '\'';
  const std::string_view inner = quoted ? value.substr(1, value.size() - (value.size() > 1 && value.back() == value.front() ? 2 : 1)) : value;
  const std::string quote = quoted ? std::string(1, value.front()) : "";
  if (inner.empty() || inner == kRedacted || std::ranges::any_of(kReferences, [&](std::string_view kind) { return inner.starts_with(kind); })) return std::string(value);
  if (inner.starts_with(kCommand)) return quote + std::string(inner.substr(0, inner.find(' '))) + (inner.find(' ') == std::string_view::npos ? "" : " " + std::string(kRedacted)) + quote;
  if (!is_address || inner.contains('\n')) return quote + std::string(kRedacted) + quote;
  return has_scheme(inner) ? std::string(value) : quote + shown_place(inner) + quote;
}

std::string without_values(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = at == 0 || !is_word(text[at - 1]);
    const std::size_t address = begins ? address_key(text.substr(at)) : 0;
    const std::size_t key = begins && address == 0 ? secret_key(text.substr(at)) : address;
    std::size_t next = at + key;
    if (key > 0 && next < text.size() && (text[next] == '"' || text[next] == '\'')) ++next;  // of JSON
    next = blanks(text, next);
    if (key > 0 && next < text.size() && (text[next] == '=' || text[next] == ':')) {
      next = blanks(text, next + 1);
      const std::size_t end = end_of_value(text, next);
      out.append(text, at, next - at).append(shown(text.substr(next, end - next), address > 0));
      at = end;
      continue;
    }
    bool is_scheme = false;
    for (const std::string_view scheme : kSchemes) {
      if (!begins || !begins_with_ignoring_case(text.substr(at), scheme)) continue;
      const std::size_t from = at + scheme.size(), end = std::min(text.find_first_of(" \t\r\n\"',;", from), text.size());
      if (end - from < 8) continue;  // a word of a sentence
      out.append(text, at, scheme.size()).append(kRedacted);
      at = end;
      is_scheme = true;
      break;
    }
    if (!is_scheme) out += text[at++];
  }
  return out;
}

}  // namespace

std::string scrub(std::string_view text, const std::vector<std::string>& secrets) {
  return without_values(without_parts_of_addresses(without_private_keys(without(text, secrets))));
}

}  // namespace berth::cli::doctor
