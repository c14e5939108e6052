#include "cli/enrol/names.h"

#include <algorithm>

#include <arpa/inet.h>
#include <fmt/core.h>

#include "core/crypto/der.h"

namespace berth::cli::enrol {
namespace {

constexpr int kEmailTag = 0x81, kDnsTag = 0x82, kUriTag = 0x86, kAddressTag = 0x87;
constexpr std::size_t kLongestName = 255, kLongestCommonName = 64;

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

bool is_dns(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  std::string_view last;
  while (true) {
    const auto dot = text.find('.');
    last = text.substr(0, dot);
    if (last.empty() || last.size() > 63 || !std::ranges::all_of(last, is_plain)) return false;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return !std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });  // "10.0.0" is no address and no name
}

std::string address_bytes(const std::string& text) {
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return {reinterpret_cast<const char*>(&four), sizeof four};
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.c_str(), &six) == 1) return {reinterpret_cast<const char*>(&six), sizeof six};
  return {};
}

std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  if (bytes.size() == sizeof(in_addr)) ::inet_ntop(AF_INET, bytes.data(), text, sizeof text);
  else if (bytes.size() == sizeof(in6_addr)) ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

}  // namespace

Result<Name> parse_name(const std::string& text) {
  const bool printable = !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
  const auto scheme = text.find("://"), at = text.find('@');
  if (printable && !address_bytes(text).empty()) return Name{Name::Kind::address, text};
  if (printable && scheme != std::string::npos && scheme > 0 && scheme + 3 < text.size()) return Name{Name::Kind::uri, text};
  if (printable && scheme == std::string::npos && at != std::string::npos && at > 0 && is_dns(std::string_view(text).substr(at + 1))) return Name{Name::Kind::email, text};
  if (printable && is_dns(text)) return Name{Name::Kind::dns, text};
  return fail(Errc::usage, fmt::format("'{}' is no name for a certificate: give a host name, a numeric address, an e-mail address, or a URI such as spiffe://example.org/ci", text));
}

Result<std::vector<Name>> parse_names(const std::vector<std::string>& texts) {
  std::vector<Name> names;
  for (const std::string& text : texts) {
    BERTH_TRY(Name name, parse_name(text));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

std::string to_der(const std::vector<Name>& names) {
  std::string all;
  for (const Name& name : names) {
    switch (name.kind) {
      case Name::Kind::dns: all += crypto::der_item(kDnsTag, name.text); break;
      case Name::Kind::address: all += crypto::der_item(kAddressTag, address_bytes(name.text)); break;
      case Name::Kind::uri: all += crypto::der_item(kUriTag, name.text); break;
      case Name::Kind::email: all += crypto::der_item(kEmailTag, name.text); break;
    }
  }
  return crypto::der_item(crypto::kSequence, all);
}

std::vector<Name> from_der(std::string_view general_names) {
  std::vector<Name> names;
  crypto::DerReader outer(general_names);
  crypto::DerReader reader(outer.take(crypto::kSequence));
  while (outer.right() && reader.right() && !reader.at_end()) {
    std::string text;
    if (reader.next_is(kAddressTag)) text = address_text(reader.take(kAddressTag));
    else if (reader.next_is(kDnsTag)) text = reader.take(kDnsTag);
    else if (reader.next_is(kUriTag)) text = reader.take(kUriTag);
    else if (reader.next_is(kEmailTag)) text = reader.take(kEmailTag);
    else break;  // a kind that nothing here can name
    if (auto name = parse_name(text)) names.push_back(std::move(*name));
  }
  return names;
}

std::string to_string(const std::vector<Name>& names) {
  std::string text;
  for (const Name& name : names) text += (text.empty() ? "" : ", ") + name.text;
  return text;
}

std::string common_name(const std::vector<Name>& names) {
  // What has a meaning in the text form of a distinguished name stays out of it.
  const auto fits = [](const Name& name) { return name.text.size() <= kLongestCommonName && name.text.find_first_of(",=+\"\\<>;#") == std::string::npos; };
  const auto found = std::ranges::find_if(names, fits);
  return found == names.end() ? "berth" : found->text;
}

}  // namespace berth::cli::enrol
