#include "core/publish/push_check.h"

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/metadata.h"
#include "core/trust/repository_files.h"
#include "core/trust/verify.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

class Checking {
 public:
  Checking(const fs::path& repository, trust::Remote& there, const std::string& where) : repository_(repository), there_(there), where_(where) {}

  Result<void> check() const;

 private:
  Result<void> check_listed(const trust::Snapshot& listed, const trust::Snapshot& ours) const;
  Result<void> check_file(const std::string& role, const trust::FileInfo& listed, std::int64_t version_here) const;
  Result<std::string> read_here(const std::string& name) const { return files::read(trust::metadata_of(repository_) / name, trust::kMostMetadata); }
  std::unexpected<Error> refuse(const std::string& what) const;

  const fs::path& repository_;
  trust::Remote& there_;
  const std::string& where_;
};

std::unexpected<Error> Checking::refuse(const std::string& what) const {
  return fail(Errc::conflict, fmt::format("{}: {}: another publisher pushed there from a copy of its own, or what lies there is signed anew there. Nothing "
                                          "was pushed. Bring {} up to date from there, make again what is only here, and push then; where what is there is "
                                          "wrong, --force: nodes that have seen it refuse lower versions",
                                          where_, what, repository_.string()));
}

/// A role's file that is listed there, beside what there is of it here.
Result<void> Checking::check_file(const std::string& role, const trust::FileInfo& listed, std::int64_t version_here) const {
  if (listed.version > version_here)
    return refuse(fmt::format("its {} has version {}, and the one of {} {}", role, listed.version, repository_.string(), version_here));
  const auto bytes = read_here(trust::numbered_file(role, listed.version));
  if (!bytes) return {};  // collected
  if (trust::check_file(*bytes, listed, role)) return {};
  return refuse(fmt::format("version {} of its {} has other contents than the same version in {}", listed.version, role, repository_.string()));
}

Result<void> Checking::check_listed(const trust::Snapshot& listed, const trust::Snapshot& ours) const {
  for (const auto& [role, info] : listed.roles) {
    const auto here = ours.roles.find(role);
    BERTH_CHECK(check_file(role, info, here == ours.roles.end() ? 0 : here->second.version));
  }
  return {};
}

Result<void> Checking::check() const {
  const auto bytes = there_.get("timestamp.json", trust::kMostTimestamp);
  if (!bytes && bytes.error().code == Errc::not_found) return {};
  BERTH_CHECK(bytes);
  BERTH_TRY(const std::string bytes_here, read_here("timestamp.json"));
  const auto envelope = trust::open_envelope(*bytes, where_);
  if (!envelope) return {};
  const auto timestamp = trust::parse_timestamp(envelope->content, where_);
  if (!timestamp) return {};
  BERTH_TRY(const trust::Envelope envelope_here, trust::open_envelope(bytes_here, "timestamp.json"));
  BERTH_TRY(const trust::Timestamp here, trust::parse_timestamp(envelope_here.content, "timestamp.json"));
  if (envelope->signed_bytes == envelope_here.signed_bytes) return {};
  if (timestamp->issue.version > here.issue.version)
    return refuse(fmt::format("its timestamp has version {}, and the one of {} {}", timestamp->issue.version, repository_.string(), here.issue.version));
  if (timestamp->issue.version == here.issue.version)
    return refuse(fmt::format("version {} of its timestamp has other contents than the same version in {}", here.issue.version, repository_.string()));

  BERTH_CHECK(check_file("snapshot", timestamp->snapshot, here.snapshot.version));
  BERTH_TRY(const std::string snapshot_here, read_here(trust::numbered_file("snapshot", here.snapshot.version)));
  BERTH_TRY(const trust::Envelope listing_here, trust::open_envelope(snapshot_here, "snapshot.json"));
  BERTH_TRY(const trust::Snapshot ours, trust::parse_snapshot(listing_here.content, "snapshot.json"));
  const auto snapshot = there_.get(trust::numbered_file("snapshot", timestamp->snapshot.version), trust::kMostMetadata);
  if (!snapshot && snapshot.error().code == Errc::not_found) return {};
  BERTH_CHECK(snapshot);
  const auto listing = trust::open_envelope(*snapshot, where_);
  if (!listing) return {};
  const auto listed = trust::parse_snapshot(listing->content, where_);
  return listed ? check_listed(*listed, ours) : Result<void>();
}

}  // namespace

Result<void> check_destination(const fs::path& repository, trust::Remote& there, const std::string& where) {
  return Checking(repository, there, where).check();
}

Result<void> check_served(const fs::path& repository, trust::Remote& there, const std::string& where) {
  const auto bytes = there.get("timestamp.json", trust::kMostTimestamp);
  if (!bytes && bytes.error().code == Errc::not_found)
    return fail(Errc::not_found, fmt::format("nothing is served at {} ({}). Nothing was pushed. Where the address is right: --force for the first push", where, bytes.error().message));
  BERTH_CHECK(bytes);
  const auto envelope = trust::open_envelope(*bytes, where);
  if (!envelope || !trust::parse_timestamp(envelope->content, where))
    return fail(Errc::conflict, fmt::format("{}: what is served there as metadata/timestamp.json is none. Nothing was pushed. Where the address is right, --force mends it", where));
  return check_destination(repository, there, where);
}

}  // namespace berth::publish
