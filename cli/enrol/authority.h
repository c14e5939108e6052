#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/enrol/request.h"
#include "core/result.h"

namespace berth::cli::enrol {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

/// What a certificate is for (extendedKeyUsage).
enum class Use { client, server_and_client };

/// A certificate that was made.
struct Issued {
  std::string serial;  ///< hex
  std::vector<std::string> names;
  std::string use;     ///< "client" or "server and client"
  Clock::time_point begins, ends;
  std::string pem{};   ///< not of one that is read from the list
};

/// An authority for nodes and their clients: a folder with `ca.key` (0600), `ca.pem`, and `issued.jsonl`, the list of what it made.
class Authority {
 public:
  /// Makes a new one of P-256. `Errc::exists` where there is one, or a part of it.
  static Result<Authority> make(const fs::path& folder, const std::string& name, std::chrono::days lasts, Clock::time_point now);
  /// Fails with `Errc::not_found` where there is none, and `Errc::permission` for a key that others may read.
  static Result<Authority> open(const fs::path& folder);

  /// A certificate of the request's key for these names, written down in the list. It ends no later than the authority: `Errc::usage`.
  Result<Issued> sign(const Request& request, const std::vector<Name>& names, Use use, std::chrono::days lasts, Clock::time_point now) const;

  /// What it made, the oldest first.
  Result<std::vector<Issued>> issued() const;

  fs::path certificate_file() const { return folder_ / "ca.pem"; }

 private:
  explicit Authority(fs::path folder) : folder_(std::move(folder)) {}
  fs::path key_file() const { return folder_ / "ca.key"; }
  fs::path list_file() const { return folder_ / "issued.jsonl"; }
  Result<void> write_down(const Issued& issued) const;

  fs::path folder_;
};

}  // namespace berth::cli::enrol
