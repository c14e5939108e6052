#include "core/crypto/pem.h"

#include <fmt/core.h>
#include <mbedtls/base64.h>

namespace berth::crypto {
namespace {

constexpr std::size_t kLine = 64;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

std::string to_pem(std::string_view label, std::string_view der) {
  std::string base64((der.size() + 2) / 3 * 4 + 1, '\0');
  std::size_t written = 0;
  mbedtls_base64_encode(reinterpret_cast<unsigned char*>(base64.data()), base64.size(), &written, bytes_of(der), der.size());
  base64.resize(written);

  std::string pem = fmt::format("-----BEGIN {}-----\n", label);
  for (std::size_t at = 0; at < base64.size(); at += kLine) pem += base64.substr(at, kLine) + "\n";
  return pem + fmt::format("-----END {}-----\n", label);
}

Result<std::string> from_pem(std::string_view label, std::string_view text) {
  const std::string begin = fmt::format("-----BEGIN {}-----", label);
  const std::string end = fmt::format("-----END {}-----", label);
  const auto first = text.find(begin);
  const auto last = first == std::string_view::npos ? first : text.find(end, first + begin.size());
  if (last == std::string_view::npos) return fail(Errc::protocol, fmt::format("no PEM block '{}'", label));

  std::string base64;
  for (const char c : text.substr(first + begin.size(), last - first - begin.size()))
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') base64 += c;

  std::string der(base64.size(), '\0');
  std::size_t written = 0;
  if (mbedtls_base64_decode(reinterpret_cast<unsigned char*>(der.data()), der.size(), &written, bytes_of(base64), base64.size()) != 0)
    return fail(Errc::protocol, fmt::format("PEM block '{}' is not base64", label));
  der.resize(written);
  return der;
}

}  // namespace berth::crypto
