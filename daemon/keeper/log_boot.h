#pragma once

namespace berth::keeper {

/// In which run of the machine a log was written last.
enum class WrittenIn { this_boot, another_boot, unknown };

/// By the file `.boot` in the log's `folder`, a descriptor, which has the kernel's boot id. `unknown` where there is none, as of a new log, or of one of an older
/// keeper; `this_boot` also where the kernel does not tell its boot id.
WrittenIn written_in(int folder);

/// Notes that the log goes on in this run of the machine. Where that fails it is asked again by the next keeper.
void note_this_boot(int folder);

}  // namespace berth::keeper
