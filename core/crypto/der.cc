#include "core/crypto/der.h"

#include <array>

#include <mbedtls/asn1.h>
#include <mbedtls/asn1write.h>

#include "core/crypto/pk_context.h"

namespace berth::crypto {

DerReader::DerReader(std::string_view der)
    : at_(const_cast<unsigned char*>(bytes_of(der))),  // mbedTLS asks for writable bytes and leaves them alone
      end_(at_ + der.size()) {}

std::string_view DerReader::take(int tag) {
  std::size_t size = 0;
  right_ = right_ && mbedtls_asn1_get_tag(&at_, end_, &size, tag) == 0;
  if (!right_) return {};
  const std::string_view content(reinterpret_cast<const char*>(at_), size);
  at_ += size;
  return content;
}

int DerReader::take_integer() {
  int number = 0;
  right_ = right_ && mbedtls_asn1_get_int(&at_, end_, &number) == 0;
  return right_ ? number : 0;
}

std::string der_item(int tag, std::string_view content) {
  std::array<unsigned char, 8> head{};
  unsigned char* at = head.data() + head.size();  // mbedTLS writes towards the front
  mbedtls_asn1_write_len(&at, head.data(), content.size());
  mbedtls_asn1_write_tag(&at, head.data(), static_cast<unsigned char>(tag));
  return std::string(at, head.data() + head.size()) + std::string(content);
}

std::string der_integer(int number) {
  std::array<unsigned char, 8> item{};
  unsigned char* at = item.data() + item.size();
  mbedtls_asn1_write_int(&at, item.data(), number);
  return std::string(at, item.data() + item.size());
}

}  // namespace berth::crypto
