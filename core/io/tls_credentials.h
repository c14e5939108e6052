#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/io/revocations.h"
#include "core/result.h"

struct mbedtls_ssl_config;

namespace berth::io {

/// PEM files of a listener that speaks TLS.
struct TlsServerFiles {
  std::string certificate_file;  ///< with the certificates between it and its authority
  std::string key_file;
  std::string client_ca_file;    ///< the authorities of clients' certificates; empty: clients are asked for none
  std::string client_crl_file = {};  ///< the lists of what these revoked; empty: none are looked at
};

/// What there is to tell of a listener that speaks TLS.
enum class TlsNews {
  exchanged,  ///< other files are there, and count from now on
  other_revocations,  ///< other lists of revoked certificates are there, and count from now on, for better or worse
  kept,       ///< other files are there and something is wrong with them: what was there before still counts
  refused,    ///< somebody was refused who spoke no TLS, or no other that is taken, or gave up
  refused_certificate  ///< somebody was refused for his certificate, or for showing none
};

/// What a listener shows to its clients, and whom it believes: read again when the files are others. Connections keep what they agreed by.
class TlsCredentials {
 public:
  using Tell = std::function<void(TlsNews news, const std::string& what)>;

  /// Reads the files. `Errc::usage` for ones that cannot be read, or do not fit each other.
  static Result<std::shared_ptr<TlsCredentials>> load(TlsServerFiles files, Tell tell);
  ~TlsCredentials();

  /// Looks whether the files are others, and reads them then. Cheap where they are not.
  void refresh();

  /// When the certificate that is shown was made valid, and when it ends.
  std::chrono::system_clock::time_point begins() const;
  std::chrono::system_clock::time_point ends() const;

  /// Tells that somebody was refused.
  void refused(const std::string& what, TlsNews why = TlsNews::refused) { tell_(why, what); }

  /// What says which clients' certificates were revoked, for a session, which keeps it; null: nothing does.
  std::shared_ptr<const Revocations> revocations() const { return revocations_; }

  /// Whether clients have to show a certificate.
  bool want_clients() const { return !files_.client_ca_file.empty(); }

  /// For a session, which keeps it.
  std::shared_ptr<const mbedtls_ssl_config> config() const;

 private:
  struct Loaded;
  TlsCredentials(TlsServerFiles files, Tell tell, std::string stamp, std::shared_ptr<const Loaded> loaded);
  static Result<std::shared_ptr<const Loaded>> read(const TlsServerFiles& files);
  void read_revocations();

  TlsServerFiles files_;
  Tell tell_;
  std::string stamp_, lists_stamp_;  ///< of the files that were read last, also where they are wrong
  std::shared_ptr<const Loaded> loaded_;
  std::shared_ptr<const Revocations> revocations_;
};

}  // namespace berth::io
