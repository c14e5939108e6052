#include <algorithm>

#include <fmt/core.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "cli/doctor/checks.h"
#include "cli/output/text.h"
#include "daemon/host/disks.h"

namespace berth::cli::doctor {
namespace {

constexpr std::uint64_t kFewInodes = 20;  ///< a twentieth

/// statfs(2) has the numbers.
std::string name_of_kind(long number) {
  switch (static_cast<unsigned long>(number) & 0xffffffffu) {
    case 0xef53: return "ext4";
    case 0x58465342: return "xfs";
    case 0x9123683e: return "btrfs";
    case 0x2fc12fc1: return "zfs";
    case 0xf2f52010: return "f2fs";
    case 0x794c7630: return "overlay";
    case 0x01021994: return "tmpfs";
    case 0x858458f6: return "ramfs";
    case 0x6969: return "nfs";
    case 0xff534d42: return "cifs";
    case 0xfe534d42: return "smb2";
    case 0x65735546: return "fuse";
    case 0x01021997: return "9p";
    case 0x4d44: return "vfat";
    default: return {};
  }
}

bool is_memory(const std::string& kind) { return kind == "tmpfs" || kind == "ramfs"; }
bool is_far(const std::string& kind) { return kind == "nfs" || kind == "cifs" || kind == "smb2" || kind == "9p" || kind == "fuse" || kind == "vfat"; }

bool is_there(const fs::path& path) {
  std::error_code missing;
  return fs::exists(path, missing);
}

std::string facts_text(const DiskFacts& facts) {
  return fmt::format("{} ({}{}{}): {} free, {} kept as a reserve", facts.what, facts.path.string(), facts.kind.empty() ? "" : ", ", facts.kind, bytes_text(facts.free), bytes_text(facts.reserve));
}

}  // namespace

Findings judge_disk(const DiskFacts& facts) {
  Findings findings;
  const bool of_state = facts.what == "state";
  const std::string room = of_state ? "berth gc removes what nothing needs; `berth unpin` and [store] keep_releases say what stays; or give the disk more room"
                                    : "lower [logs] keep_bytes of the apps, or give the disk more room";
  if (facts.free < facts.reserve)
    findings.push_back({Level::error, "disk", facts_text(facts), of_state ? "no release is taken any more" : "when nothing is left, lines of apps are lost; apps go on", room});
  else if (facts.free - facts.reserve < facts.reserve)
    findings.push_back({Level::warning, "disk", facts_text(facts), of_state ? "the next release may not fit" : "when nothing is left, lines of apps are lost", room});
  if (facts.inodes > 0 && facts.free_inodes < facts.inodes / kFewInodes)
    findings.push_back({facts.free_inodes == 0 ? Level::error : Level::warning, "disk",
                        fmt::format("{} ({}): {} of {} inodes are left", facts.what, facts.path.string(), facts.free_inodes, facts.inodes),
                        "each file of a release takes one; a release that does not get them fails while it is unpacked", room});
  if (is_far(facts.kind) || (of_state && is_memory(facts.kind)))
    findings.push_back({Level::warning, "disk", fmt::format("{} ({}) is on {}", facts.what, facts.path.string(), facts.kind),
                        is_memory(facts.kind) ? "it is gone after a reboot, with the data of apps" : "locks, links and fsync of such a file system do not hold what the database and the slots rely on",
                        fmt::format("let [paths] {} be on a local disk (ext4, xfs, btrfs)", facts.what)});
  if (findings.empty()) findings.push_back({Level::ok, "disk", facts_text(facts)});
  return findings;
}

Findings check_disks(const Subject& subject) {
  Findings findings;
  const std::uint64_t reserve = subject.config ? subject.config->reserve : config::Config().reserve;
  const std::pair<const char*, fs::path> places[] = {{"state", subject.paths.state}, {"logs", subject.paths.logs}};
  for (const auto& [what, path] : places) {
    if (std::string_view(what) == "logs" && host::room_on_another_disk(path, subject.paths.state) == std::nullopt && is_there(path)) continue;  // the same room
    struct statvfs room{};
    struct statfs kind{};
    if (::statvfs(path.c_str(), &room) != 0 || ::statfs(path.c_str(), &kind) != 0) {
      findings.push_back({Level::error, "disk", fail_errno(fmt::format("{} ({})", what, path.string())).error().message, "berthd works there", "start berthd, which makes it, or mend [paths]"});
      continue;
    }
    const std::uint64_t size = static_cast<std::uint64_t>(room.f_blocks) * room.f_frsize;
    DiskFacts facts{.what = what, .path = path, .kind = name_of_kind(kind.f_type), .free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize, .inodes = room.f_files,
                    .free_inodes = room.f_favail, .reserve = reserve};
    if (facts.what == "logs") facts.reserve = std::min(reserve, size / 10);  // as berthd judges it
    const Findings found = judge_disk(facts);
    findings.insert(findings.end(), found.begin(), found.end());
  }
  return findings;
}

}  // namespace berth::cli::doctor
