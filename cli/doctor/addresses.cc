#include "cli/doctor/addresses.h"

#include <algorithm>
#include <optional>

namespace berth::cli::doctor {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kPunctuation = ",;.:!)]}'|";  ///< that may follow an address in a text
constexpr std::size_t kLongestPort = 5;
constexpr std::size_t kShortestPath = 12, kShortestPiece = 16, kShortestUser = 4;  ///< bytes; what is shorter is a word like others

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_upper(c); }
/// Names, numeric addresses and brackets; also names that are not ASCII.
bool is_of_host(char c) { return is_letter(c) || is_digit(c) || (static_cast<unsigned char>(c) & 0x80) != 0 || std::string_view("-._~%[]").contains(c); }

std::size_t behind_backslashes(std::string_view text, std::size_t at) { return std::min(text.find_first_not_of('\\', at), text.size()); }

/// An address in a text, as positions. `begin` to `authority` is the scheme with what follows it.
struct Address {
  std::size_t begin = 0, authority = 0;
  std::size_t host = 0;      ///< behind who asks, if anybody is said
  std::size_t host_end = 0;  ///< with the port; where `host` is, if none can be told from what may be a password
  std::size_t end = 0;
};

/// Where the two slashes behind a colon end; nothing where there are none.
std::optional<std::size_t> behind_slashes(std::string_view text, std::size_t colon) {
  std::size_t at = colon + 1;
  for (int slash = 0; slash < 2; ++slash) {
    at = behind_backslashes(text, at);
    if (at >= text.size() || text[at] != '/') return {};
    ++at;
  }
  return at;
}

/// Where an address ends that goes on at `from`. One in single quotes ends with them; a backslash belongs to it, unless it stands for a quote or a line's end.
std::size_t end_of_address(std::string_view text, std::size_t begin, std::size_t from) {
  if (begin > 0 && text[begin - 1] == '\'')
    if (const auto quote = text.find_first_of("' \t\r\n", from); quote != std::string_view::npos && text[quote] == '\'') return quote;
  for (std::size_t at = from; at < text.size(); ++at) {
    if (kBlanks.contains(text[at]) || std::string_view("\"<>`").contains(text[at])) return at;
    if (text[at] != '\\') continue;
    const std::size_t next = behind_backslashes(text, at);
    if (next == text.size() || std::string_view("\"'nrt").contains(text[next])) return at;
    at = next - 1;
  }
  return text.size();
}

/// The end of "host", "host:port" or "[::1]:port".
std::size_t end_of_host(std::string_view text, std::size_t host, std::size_t end) {
  std::size_t at = host;
  bool in_brackets = false;
  for (; at < end && (is_of_host(text[at]) || (text[at] == ':' && in_brackets)); ++at) {
    if (text[at] == '[') in_brackets = true;
    if (text[at] == ']') in_brackets = false;
  }
  if (at >= end || text[at] != ':') return at;
  std::size_t port = at + 1;
  while (port < end && is_digit(text[port])) ++port;
  const bool is_port = port > at + 1 && port - at - 1 <= kLongestPort && (port == end || !is_of_host(text[port]));
  return is_port ? port : at;
}

Address read_address(std::string_view text, std::size_t colon, std::size_t authority) {
  Address address{.begin = colon, .authority = authority};
  while (address.begin > 0 && (is_letter(text[address.begin - 1]) || is_digit(text[address.begin - 1]) || std::string_view("+-.").contains(text[address.begin - 1]))) --address.begin;
  address.end = end_of_address(text, address.begin, authority);
  const std::size_t path = std::min(text.find_first_of("/?#\\", authority), address.end);
  const std::size_t who = text.substr(authority, path - authority).rfind('@');
  address.host = who == std::string_view::npos ? authority : authority + who + 1;
  address.host_end = end_of_host(text, address.host, address.end);
  // A password with a slash in it reads as a host, and its user, too.
  const bool may_be_a_user = who == std::string_view::npos && text.substr(authority, path - authority).contains(':') && text.substr(path, address.end - path).contains('@');
  if (may_be_a_user) address.host_end = address.host;
  return address;
}

std::optional<Address> next_address(std::string_view text, std::size_t from) {
  for (std::size_t colon = text.find(':', from); colon != std::string_view::npos; colon = text.find(':', colon + 1))
    if (const auto authority = behind_slashes(text, colon)) return read_address(text, colon, *authority);
  return {};
}

/// A path of this machine; it ends with the query, which no file has.
bool is_file(std::string_view text, const Address& address) {
  std::string scheme(text.substr(address.begin, 4));
  std::ranges::transform(scheme, scheme.begin(), [](char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; });
  return scheme == "file" && address.authority < address.end && text[address.authority] == '/' && !text.substr(address.authority, address.end - address.authority).contains('?');
}

/// What is shown of what follows the host.
std::string shown_rest(std::string_view rest) {
  const std::size_t path = behind_backslashes(rest, 0);
  const std::size_t begin = path < rest.size() && rest[path] == '/' ? path + 1 : 0;
  if (rest.find_first_not_of(kPunctuation, begin) == std::string_view::npos) return std::string(rest);
  if (begin > 0) return std::string(rest.substr(0, begin)).append(kRedacted);
  const bool separates = rest.front() == '?' || rest.front() == '#';
  return std::string(rest.substr(0, separates ? 1 : 0)).append(kRedacted);
}

/// Whether a text is none of small letters alone, as words are.
bool is_drawn(std::string_view text) { return std::ranges::any_of(text, [](char c) { return is_digit(c) || is_upper(c); }); }

void add_pieces(std::string_view text, std::vector<std::string>& secrets) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("/?&=#;,\\"), text.size());
    const std::string_view piece = text.substr(0, end);
    if (piece.size() >= kShortestPiece && is_drawn(piece)) secrets.emplace_back(piece);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::string without_parts_of_addresses(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (auto address = next_address(text, 0); address; address = next_address(text, at)) {
    out += text.substr(at, address->authority - at);
    at = address->end;
    if (is_file(text, *address)) {
      out += text.substr(address->authority, address->end - address->authority);
      continue;
    }
    if (address->host > address->authority) out.append(kRedacted).append("@");
    out += text.substr(address->host, address->host_end - address->host);
    if (address->host_end < address->end) out += shown_rest(text.substr(address->host_end, address->end - address->host_end));
  }
  return out.append(text.substr(at));
}

std::vector<std::string> secrets_of_addresses(std::string_view text) {
  std::vector<std::string> secrets;
  std::size_t at = 0;
  for (auto address = next_address(text, 0); address; address = next_address(text, at)) {
    at = address->end;
    if (is_file(text, *address)) continue;
    if (const std::string_view who = text.substr(address->authority, address->host - address->authority); who.size() > kShortestUser) {
      secrets.emplace_back(who.substr(0, who.size() - 1));
      // A password that is a word, such as "password", stands elsewhere for itself.
      const std::string_view password = who.substr(std::min(who.find(':'), who.size() - 1)).substr(1);
      if (password.size() > kShortestUser && is_drawn(password)) secrets.emplace_back(password.substr(0, password.size() - 1));
    }
    const std::string_view rest = text.substr(address->host_end, address->end - address->host_end);
    if (rest.size() >= kShortestPath) secrets.emplace_back(rest);
    add_pieces(rest, secrets);
  }
  return secrets;
}

}  // namespace berth::cli::doctor
