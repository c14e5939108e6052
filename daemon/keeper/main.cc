// berth-keeper SOCKET LOG_DIRECTORY [--delegated]: the parent of one instance. Started by berthd, which then sends the launch.

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper/keeper.h"

namespace {

constinit berth::keeper::Keeper keeper;

}  // namespace

int main(int argc, char** argv) {
  const bool delegated = argc == 4 && strcmp(argv[3], "--delegated") == 0;
  if (argc != 3 && !delegated) {
    constexpr char kUsage[] = "usage: berth-keeper SOCKET LOG_DIRECTORY [--delegated]\nStarted by berthd, one for each instance.\n";
    (void)!write(2, kUsage, sizeof kUsage - 1);
    return 2;
  }
  umask(022);
  (void)!chdir("/");
  return keeper.begin(argv[1], argv[2], delegated) ? keeper.run() : 1;
}
