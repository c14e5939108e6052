#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::route {

// One berthd of a network has the table `inet berth` (docs/adr/0015). While it runs, a Unix socket of an abstract name says so: the kernel has one of them in each
// network namespace, and it ends with its process. While it is away and its apps go on, the table itself does, which is marked with whose it is.

/// The berthd that has the table now.
struct TableOwner {
  pid_t pid = 0;
  std::filesystem::path state;  ///< its state folder; empty where /proc does not tell
};

/// "berthd (pid 7, state /var/lib/berth)".
std::string to_text(const TableOwner& owner);

/// Who has it. None where nobody does, or only somebody who is not of our user: any program can take such a name, and none may keep berthd from routing by it.
/// Only root sees the processes of all.
std::optional<TableOwner> table_owner(const std::filesystem::path& proc = "/proc");

/// Takes it, until the descriptor is closed. Fails with `Errc::conflict`, naming who has it; tries so often, 20 ms apart, since a process that a killed berthd was about to
/// start may have it for a moment. The descriptor is none where a program that does not count has the name.
Result<Fd> hold_table(int tries);

/// What a berthd marks its table with, by its run folder: of one boot, as the table is.
std::filesystem::path table_mark_file(const std::filesystem::path& run);
/// Reads the mark, or makes one.
Result<std::string> table_mark(const std::filesystem::path& run);

/// What berthd says where another one has the table, with what to do.
std::string table_refusal(const std::string& whose);

}  // namespace berth::route
