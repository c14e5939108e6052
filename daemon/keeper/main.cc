// berth-keeper SOCKET LOG_DIRECTORY [--delegated]: the parent of one instance. Started by berthd, which then sends the launch. A keeper itself starts another
// with --try FD, to see whether it could become that program, and becomes it with --renewed FD.

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper/keeper.h"
#include "daemon/keeper/text.h"

namespace {

constinit berth::keeper::Keeper keeper;

}  // namespace

int main(int argc, char** argv) {
  const auto is = [argc, argv](int arguments, const char* word) { return argc == arguments && strcmp(argv[3], word) == 0; };
  const bool delegated = is(4, "--delegated"), renewed = is(5, "--renewed"), tried = is(5, "--try");
  if (argc != 3 && !delegated && !renewed && !tried) {
    constexpr char kUsage[] = "usage: berth-keeper SOCKET LOG_DIRECTORY [--delegated]\nStarted by berthd, one for each instance.\n";
    (void)!write(2, kUsage, sizeof kUsage - 1);
    return 2;
  }
  umask(022);
  (void)!chdir("/");
  const int handover = renewed || tried ? static_cast<int>(berth::keeper::to_number(argv[4], -1)) : -1;
  if (tried) return keeper.try_to_resume(argv[1], argv[2], handover) ? 0 : 1;
  const bool begun = renewed ? keeper.resume(argv[1], argv[2], handover) : keeper.begin(argv[1], argv[2], delegated);
  return begun ? keeper.run() : 1;
}
