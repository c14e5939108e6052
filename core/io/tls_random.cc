#include "core/io/tls_random.h"

#include <cerrno>

#include <mbedtls/ssl.h>
#include <sys/random.h>

namespace berth::io {

int random_for_tls(void*, unsigned char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::getrandom(into, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    into += got;
    size -= static_cast<std::size_t>(got);
  }
  return 0;
}

}  // namespace berth::io
