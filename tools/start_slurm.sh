#!/usr/bin/env bash
# Starts a private Slurm cluster on this machine, for tests and to try recipes on a cluster: munged, slurmctld and
# a slurmd for each of its nodes, which are all this machine. It has no accounts and keeps everything in one folder.
#   tools/start_slurm.sh --install            Debian's packages of Slurm and MUNGE, if they are not there (root)
#   tools/start_slurm.sh FOLDER [NODES]       starts it [2 nodes of 4 processors and a make-believe GPU]
#   export SLURM_CONF=FOLDER/slurm.conf       then run_slurm.py, squeue and the others use it
#   tools/start_slurm.sh --stop FOLDER        ends it; running jobs are ended too
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=local/common.sh
. "${root}/local/common.sh"
export PATH=${PATH}:/usr/sbin:/sbin
programs="munged slurmctld slurmd sbatch srun squeue scancel scontrol"

missing_programs() {
    local program
    for program in ${programs}; do command -v "${program}" >/dev/null || printf '%s ' "${program}"; done
}

# install: with the system's package manager, quietly, and without starting the packages' own services.
install() {
    [ -n "$(missing_programs)" ] || return 0
    [ "$(id -u)" -eq 0 ] || die "installing Slurm needs root; without it have the packages slurm-wlm and munge installed"
    command -v apt-get >/dev/null || die "no apt-get here; install Slurm and MUNGE with this system's package manager"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || log "the package lists could not be renewed; tries with the old ones"
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null \
        || die "the packages slurm-wlm and munge could not be installed (see above); check the network"
    [ -z "$(missing_programs)" ] || die "still missing after the installation: $(missing_programs)"
}

# stop FOLDER: its jobs, then the processes whose ids stand there.
stop() {
    local pids
    if [ -S "$1/munge.socket" ]; then
        SLURM_CONF=$1/slurm.conf timeout 10 scancel --user "$(id -u)" 2>/dev/null || true
    fi
    pids=$(cat "$1"/*.pid 2>/dev/null) || true
    for signal in TERM KILL; do
        # shellcheck disable=SC2086  # a list of process ids
        kill "-${signal}" ${pids} 2>/dev/null || return 0
        for _ in {1..50}; do
            # shellcheck disable=SC2086
            kill -0 ${pids} 2>/dev/null || return 0
            sleep 0.1
        done
    done
}

# free_ports NUMBER: that many ports in a row that nobody uses.
free_ports() {
    python3 -c '
import random, socket, sys
while True:
    first, number = random.randrange(20000, 32000), int(sys.argv[1])
    sockets = [socket.socket() for _ in range(number)]
    try:
        for k in range(number):
            sockets[k].bind(("127.0.0.1", first + k))
    except OSError:
        continue
    finally:
        for s in sockets:
            s.close()
    print(first)
    break' "$1"
}

# write_config FOLDER NODES: a cluster in FOLDER. Processors and memory are what we say they are, so that the same
# tests run anywhere; the memory of jobs is watched every second.
write_config() {
    local folder=$1 nodes=$2 port user
    port=$(free_ports $((nodes + 1)))
    user=$(id -un)
    cat >"${folder}/slurm.conf" <<END
ClusterName=silvertalk
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=${port}
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.socket,cred_expire=5
SlurmUser=${user}
SlurmdUser=${user}
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool.%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.%n.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=5
GresTypes=gpu
NodeName=node[1-${nodes}] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + nodes))] CPUs=4 RealMemory=64000 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=1000 State=UP
END
    echo "Name=gpu File=/dev/null" >"${folder}/gres.conf"
    echo "CgroupPlugin=cgroup/v1" >"${folder}/cgroup.conf"
}

start() {
    local folder=$1 nodes=$2 node
    [ -z "$(missing_programs)" ] || die "missing here: $(missing_programs); run $0 --install, or install slurm-wlm and munge"
    mkdir -p "${folder}" && folder=$(cd "${folder}" && pwd)
    [ ! -e "${folder}/slurm.conf" ] || die "${folder} has a cluster; end it with $0 --stop ${folder} and remove the folder"
    mkdir "${folder}/state"
    chmod 755 "${folder}"
    (umask 077 && head -c 128 /dev/urandom >"${folder}/munge.key")
    write_config "${folder}" "${nodes}"
    # --force: the folder may lie in one that others can write to, as /tmp is.
    munged --force --socket="${folder}/munge.socket" --key-file="${folder}/munge.key" --log-file="${folder}/munged.log" \
        --pid-file="${folder}/munged.pid" --seed-file="${folder}/munge.seed" 2>>"${folder}/start.log"
    export SLURM_CONF=${folder}/slurm.conf
    slurmctld -f "${SLURM_CONF}" 2>>"${folder}/start.log"
    for node in $(seq "${nodes}"); do
        slurmd -f "${SLURM_CONF}" -N "node${node}" 2>>"${folder}/start.log"
    done
    for _ in {1..150}; do
        if [ "$(sinfo --noheader --Node --states=idle --format=%N 2>/dev/null | wc -l)" -eq "${nodes}" ]; then
            log "export SLURM_CONF=${SLURM_CONF}"
            return 0
        fi
        sleep 0.2
    done
    tail -n 5 "${folder}"/*.log >&2
    stop "${folder}"
    die "the cluster did not start in 30 s; its logs are in ${folder}"
}

case "${1:-}" in
    --install) install ;;
    --stop) [ $# -eq 2 ] || die "which folder?"; stop "$2" ;;
    "" | -*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ;;
    *) start "$1" "${2:-2}" ;;
esac
