#include <cstddef>
#include <string>

#include <gmock/gmock.h>

#include "core/io/tls_hello.h"

namespace berth::io {
namespace {

/// A hello with that body of its extensions.
std::string hello_with(const std::string& extensions) {
  const auto counted = [](const std::string& bytes, int width) {
    std::string length;
    for (int i = width - 1; i >= 0; --i) length += static_cast<char>(bytes.size() >> (8 * i) & 0xff);
    return length + bytes;
  };
  const std::string body = std::string("\x03\x03") + std::string(32, 'r') + counted("", 1) + counted(std::string("\x13\x01", 2), 2) + counted(std::string(1, '\0'), 1) + counted(extensions, 2);
  return std::string("\x16\x03\x01") + counted("\x01" + counted(body, 3), 2);
}

TEST(TlsHello, TellsWhetherNewerVersionsAloneAreOffered) {
  const std::string other("\x00\x17\x00\x00", 4);
  EXPECT_TRUE(offers_only_newer_tls(hello_with(std::string("\x00\x2b\x00\x03\x02\x03\x04", 7))));
  EXPECT_TRUE(offers_only_newer_tls(hello_with(other + std::string("\x00\x2b\x00\x05\x04\x0a\x0a\x03\x04", 9)))) << "with a number that means nothing";
  EXPECT_FALSE(offers_only_newer_tls(hello_with(std::string("\x00\x2b\x00\x05\x04\x03\x04\x03\x03", 9)))) << "1.2 too";
  EXPECT_FALSE(offers_only_newer_tls(hello_with(other)));
  EXPECT_FALSE(offers_only_newer_tls(hello_with("")));
  const std::string whole = hello_with(std::string("\x00\x2b\x00\x03\x02\x03\x04", 7));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(offers_only_newer_tls(whole.substr(0, size))) << size;
  EXPECT_FALSE(offers_only_newer_tls("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

}  // namespace
}  // namespace berth::io
