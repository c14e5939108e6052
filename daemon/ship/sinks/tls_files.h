#pragma once

#include "core/io/http.h"
#include "core/result.h"
#include "daemon/config/section.h"

namespace berth::ship {

/// Reads `ca_file`, `certificate_file` and `key_file`, which are for a sink that is reached by TLS alone.
io::TlsOptions parse_tls(config::Section& section, bool is_tls);

/// Whether the files that were named can be read. Fails with `Errc::usage`, naming the key.
Result<void> check_tls(const io::TlsOptions& tls);

}  // namespace berth::ship
