#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/io/http.h"
#include "core/io/line.h"
#include "core/io/patience.h"
#include "core/io/url.h"
#include "core/result.h"

namespace berth::io {

struct ClientOptions {
  TlsOptions tls;
  ProxyOptions proxy;
  milliseconds connect_timeout{10'000};
  milliseconds total_timeout{30'000};     ///< of one exchange, connecting included
  std::size_t most_answer = 64u << 10;    ///< bytes of an answer's body that are kept; the rest is dropped
};

/// Asks one place of a web server again and again, over a connection that is kept for as long as the server likes. Blocking, and for one thread at a time.
class HttpClient {
 public:
  HttpClient(Url url, ClientOptions options);

  /// Asks for the target of `request`, in the place of the url's, and gives the answer, whatever its status; redirects are answers. It is
  /// sent a second time only where a connection that was kept turns out to have been closed. An `authorization` goes over plain http to loopback addresses
  /// alone: elsewhere that is `Errc::usage`. Fails with `Errc::unreachable`, `Errc::timeout`, `Errc::protocol`, and with `Errc::cancelled` within a second after
  /// `stop`. Of `request` the method (but HEAD), target, headers and body count.
  Result<HttpAnswer> ask(HttpRequest request, std::stop_token stop = {});
  /// POSTs `body` to the url.
  Result<HttpAnswer> post(Headers headers, std::string body, std::stop_token stop);

  const Url& url() const { return url_; }

 private:
  Result<void> connect();
  Result<HttpAnswer> exchange(const std::string& head, const std::string& body, bool& answered);

  Url url_;
  ClientOptions options_;
  Patience patience_;
  std::unique_ptr<Line> line_;  ///< null: there is no connection; after the patience that it refers to
};

}  // namespace berth::io
