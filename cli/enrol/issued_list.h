#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::cli::enrol {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

/// Why a certificate was revoked: CRLReason of RFC 5280, 5.3.1, as far as such an authority has use for it.
enum class Reason { unspecified = 0, key_compromise = 1, affiliation_changed = 3, superseded = 4, cessation_of_operation = 5, privilege_withdrawn = 9 };

/// "key-compromise".
std::string to_string(Reason reason);
Result<Reason> parse_reason(const std::string& text);

/// That a certificate was revoked.
struct Revoked {
  Clock::time_point at;
  Reason reason = Reason::unspecified;
};

/// A certificate that was made.
struct Issued {
  std::string serial;  ///< hex
  std::vector<std::string> names;
  std::string use;     ///< "client" or "server and client"
  Clock::time_point begins, ends;
  std::string pem{};   ///< not of one that is read from the list
  std::optional<Revoked> revoked{};
};

/// What stands in the list.
struct ListContent {
  std::vector<Issued> issued;             ///< the oldest first
  std::uint64_t crl_number = 0;           ///< of the last list of revoked certificates; 0: there was none
  std::optional<Clock::time_point> crl_at{};  ///< when that was made
};

/// The list of what an authority made and revoked: a file of lines of JSON to which is only appended.
class IssuedList {
 public:
  /// Opens it for a change, makes it where there is none, and keeps others from changing it until this is gone.
  static Result<IssuedList> lock(const fs::path& file);
  /// What stands in it; nothing where it is not there. A last line that was cut off counts for nothing.
  static Result<ListContent> read(const fs::path& file);

  Result<ListContent> content() const;

  /// Appends, durably.
  Result<void> add(const Issued& issued);
  Result<void> add_revoked(const std::vector<Issued>& revoked);
  Result<void> add_crl(std::uint64_t number, Clock::time_point at);

 private:
  IssuedList(fs::path path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<void> append(const std::string& lines);

  fs::path path_;
  Fd file_;
};

}  // namespace berth::cli::enrol
