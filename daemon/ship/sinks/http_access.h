#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/crypto/secret.h"
#include "core/io/http.h"
#include "core/result.h"
#include "daemon/config/section.h"
#include "daemon/secrets/reference.h"

namespace berth::ship {

/// Where logs are POSTed to, and who we are there.
struct HttpAccess {
  std::string url;                                 ///< with the path of the API
  std::string token, user, password;               ///< `token` and `password` are references to secrets; or empty
  std::string token_header;                        ///< in lower case: the token alone stands there, instead of as `Authorization: Bearer`; or empty
  io::TlsOptions tls;
  std::optional<std::string> proxy;                ///< absent: as the environment says; empty: none
  bool compress = true;                            ///< by gzip
  std::chrono::milliseconds timeout{30'000};       ///< of one request
};

/// Reads `url`, `token`, `token_header`, `user`, `password`, `ca_file`, `certificate_file`, `key_file`, `proxy`, `compression` and `timeout`. `path` is
/// appended to a URL that does not end with it; `example` is shown where there is no URL.
HttpAccess parse_http(config::Section& section, std::string_view path, std::string_view example);

/// A header of requests: its name in lower case, and its value.
struct SecretHeader {
  std::string name;
  crypto::Secret value;
};
/// What says who we are, looked up anew each time; empty where nothing does.
std::function<Result<SecretHeader>()> identity_of(const HttpAccess& access, secrets::Sources sources);

/// Whether a token or a password that lies in a file is there; what else it may be is not looked at. Fails with `Errc::usage`.
Result<void> check_identity(const HttpAccess& access);

}  // namespace berth::ship
