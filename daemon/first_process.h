#pragma once

namespace berth {

/// Makes the first process of a container what such a process has to be, and berthd its child: whoever calls this is the one or the other afterwards. Before
/// there are threads.
///
/// It buries the processes that lost their parents, keepers among them, and passes SIGHUP, SIGINT and SIGTERM on. A berthd that is killed is started again,
/// as systemd would, and takes over what runs. When one ends, so does the container: what it ran is stopped first, each app by its own signal and within its
/// own grace. Does not return then; in berthd it does.
void be_first_process();

}  // namespace berth
