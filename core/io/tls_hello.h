#pragma once

#include <string_view>

namespace berth::io {

/// Whether `bytes` begin with a client's hello that offers TLS 1.3 or newer alone (RFC 8446, 4.2.1): mbedTLS 2.28 would only see that there is no cipher in
/// common. What is no hello, or not there whole, is none.
bool offers_only_newer_tls(std::string_view bytes);

}  // namespace berth::io
