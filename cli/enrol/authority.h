#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/enrol/issued_list.h"
#include "cli/enrol/request.h"
#include "core/result.h"

namespace berth::cli::enrol {

/// What a certificate is for (extendedKeyUsage).
enum class Use { client, server_and_client };

/// A list of revoked certificates that was written.
struct Crl {
  std::uint64_t number = 0;
  Clock::time_point next;    ///< until when it counts
  std::size_t revoked = 0;   ///< certificates in it
};

/// What came of revoking.
struct Revocation {
  std::vector<Issued> revoked, already;  ///< now, and before
  Crl crl;
};

/// An authority for nodes and their clients: a folder with `ca.key` (0600), `ca.pem`, `issued.jsonl`, the list of what it made and revoked,
/// and `crl.pem`, what it revoked for those who believe its certificates.
class Authority {
 public:
  /// Makes a new one of P-256. `Errc::exists` where there is one, or a part of it.
  static Result<Authority> make(const fs::path& folder, const std::string& name, std::chrono::days lasts, Clock::time_point now);
  /// Fails with `Errc::not_found` where there is none, and `Errc::permission` for a key that others may read.
  static Result<Authority> open(const fs::path& folder);

  /// A certificate of the request's key for these names, written down in the list. It ends no later than the authority: `Errc::usage`.
  Result<Issued> sign(const Request& request, const std::vector<Name>& names, Use use, std::chrono::days lasts, Clock::time_point now) const;

  /// Revokes certificates by serial numbers (hex), or by names: all that are for a name and have not ended; and writes the list of revoked certificates anew, to count for so
  /// long. `Errc::not_found`, and nothing is revoked, where one of them means none.
  Result<Revocation> revoke(const std::vector<std::string>& whom, Reason reason, std::chrono::days counts, Clock::time_point now) const;

  /// Writes the list of revoked certificates anew. It counts no longer than the authority does.
  Result<Crl> write_crl(std::chrono::days counts, Clock::time_point now) const;

  /// What it made, the oldest first.
  Result<std::vector<Issued>> issued() const;

  fs::path certificate_file() const { return folder_ / "ca.pem"; }
  fs::path crl_file() const { return folder_ / "crl.pem"; }

 private:
  explicit Authority(fs::path folder) : folder_(std::move(folder)) {}
  fs::path key_file() const { return folder_ / "ca.key"; }
  fs::path list_file() const { return folder_ / "issued.jsonl"; }
  struct Signer;
  Result<std::unique_ptr<Signer>> signer() const;
  Result<Crl> write_crl(IssuedList& list, Signer& signer, std::chrono::days counts, Clock::time_point now) const;

  fs::path folder_;
};

}  // namespace berth::cli::enrol
