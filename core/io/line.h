#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/files/fd.h"
#include "core/io/http.h"
#include "core/io/patience.h"
#include "core/io/url.h"
#include "core/result.h"

namespace berth::io {

/// How the message begins that tells of a server which refused its client's certificate; the code is `Errc::unreachable`.
inline constexpr std::string_view kCertificateRefused = "it refused the client certificate ";

/// A blocking connection to a server, plain or by TLS. Every wait is bounded by a `Patience` that outlives it.
class Line {
 public:
  virtual ~Line() = default;
  /// Appends what comes to `into` and gives its length, 0 at the end. A connection that broke is `Errc::unreachable`.
  virtual Result<std::size_t> read(std::string* into) = 0;
  virtual Result<void> write(std::string_view bytes) = 0;
  /// Nothing more will be written: the peer reads what was, and then an end. What it says can still be read.
  virtual Result<void> end_writing() = 0;
  /// The socket, for whoever asks the kernel about it. It stays the line's.
  virtual int descriptor() const = 0;
};

struct Proxy;

/// Connects to the host of `url`, or to `proxy` where there is one, and, for https, agrees on TLS with the host.
Result<std::unique_ptr<Line>> open_line(const Url& url, const std::optional<Proxy>& proxy, const TlsOptions& tls, Patience& patience);

/// TLS 1.2 over a connected socket. The server proves that it is `host` (a name or a numeric address) by a certificate of a known authority.
Result<std::unique_ptr<Line>> open_tls(Fd socket, const std::string& host, const TlsOptions& options, const Patience& patience);

}  // namespace berth::io
