#pragma once

#include <cstddef>

namespace berth::io {

/// The kernel's random bytes, as mbedTLS asks for them.
int random_for_tls(void*, unsigned char* into, std::size_t size);

}  // namespace berth::io
