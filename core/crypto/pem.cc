#include "core/crypto/pem.h"

#include <fmt/core.h>
#include <mbedtls/base64.h>

#include "core/crypto/pk_context.h"
#include "core/crypto/secret.h"

namespace berth::crypto {
namespace {

constexpr std::size_t kLine = 64;

}  // namespace

std::string to_pem(std::string_view label, std::string_view der) {
  std::string base64((der.size() + 2) / 3 * 4 + 1, '\0');
  std::size_t written = 0;
  mbedtls_base64_encode(bytes_of(base64), base64.size(), &written, bytes_of(der), der.size());
  base64.resize(written);

  std::string pem;
  pem.reserve(base64.size() + base64.size() / kLine + 2 * label.size() + 64);  // it may be secret, and must leave no copies
  pem += fmt::format("-----BEGIN {}-----\n", label);
  for (std::size_t at = 0; at < base64.size(); at += kLine) pem.append(base64, at, kLine).append("\n");
  wipe(base64);
  pem += fmt::format("-----END {}-----\n", label);
  return pem;
}

Result<std::string> from_pem(std::string_view label, std::string_view text) {
  const std::string begin = fmt::format("-----BEGIN {}-----", label);
  const std::string end = fmt::format("-----END {}-----", label);
  const auto first = text.find(begin);
  const auto last = first == std::string_view::npos ? first : text.find(end, first + begin.size());
  if (last == std::string_view::npos) return fail(Errc::protocol, fmt::format("no PEM block '{}'", label));

  std::string base64;
  base64.reserve(last - first);
  for (const char c : text.substr(first + begin.size(), last - first - begin.size()))
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') base64 += c;

  std::string der(base64.size(), '\0');
  std::size_t written = 0;
  const int failed = mbedtls_base64_decode(bytes_of(der), der.size(), &written, bytes_of(base64), base64.size());
  wipe(base64);
  if (failed != 0) return fail(Errc::protocol, fmt::format("PEM block '{}' is not base64", label));
  der.resize(written);
  return der;
}

}  // namespace berth::crypto
