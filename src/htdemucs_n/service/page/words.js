// What the page says, in English and Chinese.

const WORDS = {
  en: {
    drop: "Drop songs here",
    dropMore: "Audio or video files. They stay on this computer.",
    dropThere: "Audio or video files. They go to {0} and nowhere else.",
    choose: "Choose files",
    songs: "Songs",
    none: "No songs yet.",
    player: "Player",
    uploading: "Reading {0} %",
    queued: "Waiting",
    running: "Separating {0} %",
    left: "{0} left",
    failed: "Failed: {0}",
    cancelled: "Cancelled",
    cancel: "Cancel",
    again: "Dismiss",
    remove: "Delete",
    reallyRemove: "Delete “{0}” and its stems?",
    rename: "Rename",
    newName: "New name",
    open: "Play the stems of {0}",
    loading: "Loading the stems {0} of {1}",
    unplayable: "The stems cannot be played: {0}",
    play: "Play",
    pause: "Pause",
    position: "Position",
    solo: "Solo",
    mute: "Mute",
    soloOf: "Solo: {0}",
    muteOf: "Mute: {0}",
    volumeOf: "Volume: {0}",
    waveOf: "Waveform: {0}",
    spectrogramOf: "Spectrogram: {0}",
    save: "Save {0}",
    zip: "Save all stems",
    panOf: "Left and right: {0}",
    middle: "middle",
    leftBy: "{0} % left",
    rightBy: "{0} % right",
    listen: "Listen",
    listenTo: "Listen: {0}",
    loadingOriginal: "Loading the original",
    loop: "Loop",
    loop_start: "Start of the loop",
    loop_end: "End of the loop",
    compare: "A/B",
    bpm: "{0} BPM",
    major: "{0} major",
    minor: "{0} minor",
    model: "Model",
    engine: "Engine",
    record: "Record",
    stop: "Stop",
    recording: "Recording {0}",
    recordingName: "Recording {0}",
    noMicrophone: "Browsers give no microphone to pages over plain HTTP: ask this page by HTTPS, or on the computer itself.",
    noMicrophoneHere: "The microphone cannot be used: {0}",
    size: "The library has {0} of {1}.",
    tokenTitle: "Token of the service",
    token: "Token",
    enter: "Enter",
    wrongToken: "This is not the token of the service.",
    tempo: "Tempo",
    pitch: "Pitch",
    rendering: "Rendering all stems",
    export: "Export",
    what: "What",
    format: "Format",
    onlyLoop: "Only the loop",
    save_file: "Save",
    close: "Close",
    writing: "Writing the file",
    written: "The file is saved.",
    scaled: "It was louder than a file can hold, so all of it was scaled to {0} %.",
    otherRate: "This format cannot hold the sample rate of the song: the file is at {0} Hz.",
    nothingHeard: "no stem is heard: unmute one",
    export_mix: "Mix as it is heard",
    export_karaoke: "Karaoke: without vocals",
    export_drumless: "Drumless: without drums",
    export_stems: "All stems (zip)",
    export_stem_mp4: "DJ stem file (stem.mp4)",
    notes: "Notes",
    midi: "Save MIDI",
    findingNotes: "Finding the notes: about 10 s for each minute of the song",
    noNotes: "The notes cannot be found: {0}",
    keysTitle: "Keys",
    keys: "Space plays and pauses. The arrows move by 5 seconds. 1 to 9 solo a stem, with Shift they mute it. L loops, [ and ] set its start and end here. A compares with the original. A drag over the waveforms makes a loop.",
    lost: "The studio does not answer. Songs go on when it is back.",
    drums: "Drums", bass: "Bass", other: "Other", vocals: "Vocals", instrumental: "Instrumental",
    original: "Original", no_drums: "Without drums", no_bass: "Without bass", no_other: "Without other", no_vocals: "Without vocals",
  },
  zh: {
    drop: "把歌曲拖到这里",
    dropMore: "音频或视频文件。文件不会离开这台电脑。",
    dropThere: "音频或视频文件。文件只会发送到 {0}。",
    choose: "选择文件",
    songs: "歌曲",
    none: "还没有歌曲。",
    player: "播放器",
    uploading: "读取 {0} %",
    queued: "等待中",
    running: "分离中 {0} %",
    left: "还需 {0}",
    failed: "失败：{0}",
    cancelled: "已取消",
    cancel: "取消",
    again: "移除",
    remove: "删除",
    reallyRemove: "删除“{0}”及其分轨？",
    rename: "重命名",
    newName: "新名称",
    open: "播放 {0} 的分轨",
    loading: "正在载入分轨 {0}/{1}",
    unplayable: "无法播放分轨：{0}",
    play: "播放",
    pause: "暂停",
    position: "位置",
    solo: "独奏",
    mute: "静音",
    soloOf: "独奏：{0}",
    muteOf: "静音：{0}",
    volumeOf: "音量：{0}",
    waveOf: "波形：{0}",
    spectrogramOf: "频谱图：{0}",
    save: "保存 {0}",
    zip: "保存全部分轨",
    panOf: "左右声像：{0}",
    middle: "居中",
    leftBy: "偏左 {0} %",
    rightBy: "偏右 {0} %",
    listen: "试听",
    listenTo: "试听：{0}",
    loadingOriginal: "正在载入原曲",
    loop: "循环",
    loop_start: "循环起点",
    loop_end: "循环终点",
    compare: "A/B",
    bpm: "{0} BPM",
    major: "{0} 大调",
    minor: "{0} 小调",
    model: "模型",
    engine: "引擎",
    record: "录音",
    stop: "停止",
    recording: "正在录音 {0}",
    recordingName: "录音 {0}",
    noMicrophone: "浏览器不允许普通 HTTP 页面使用麦克风：请用 HTTPS 打开，或在本机上打开。",
    noMicrophoneHere: "无法使用麦克风：{0}",
    size: "曲库已用 {0}，上限 {1}。",
    tokenTitle: "服务令牌",
    token: "令牌",
    enter: "进入",
    wrongToken: "令牌不正确。",
    tempo: "速度",
    pitch: "音高",
    rendering: "正在渲染全部分轨",
    export: "导出",
    what: "内容",
    format: "格式",
    onlyLoop: "仅循环部分",
    save_file: "保存",
    close: "关闭",
    writing: "正在写入文件",
    written: "文件已保存。",
    scaled: "音量超出文件所能容纳的范围，整体已缩放到 {0} %。",
    otherRate: "此格式不支持歌曲的采样率：文件采用 {0} Hz。",
    nothingHeard: "没有可听见的分轨：请取消静音",
    export_mix: "当前听到的混音",
    export_karaoke: "卡拉 OK：去人声",
    export_drumless: "无鼓：去鼓",
    export_stems: "全部分轨（zip）",
    export_stem_mp4: "DJ 分轨文件（stem.mp4）",
    notes: "音符",
    midi: "保存 MIDI",
    findingNotes: "正在识别音符：每分钟歌曲约需 10 秒",
    noNotes: "无法识别音符：{0}",
    keysTitle: "快捷键",
    keys: "空格键播放和暂停，方向键移动 5 秒，数字键 1 到 9 独奏分轨，同时按 Shift 则静音。L 键循环，[ 和 ] 把循环起点和终点设在当前位置。A 键与原曲对比。在波形上拖动可设定循环。",
    lost: "服务没有响应。恢复后歌曲会继续处理。",
    drums: "鼓", bass: "贝斯", other: "其他", vocals: "人声", instrumental: "伴奏",
    original: "原曲", no_drums: "去鼓", no_bass: "去贝斯", no_other: "去其他", no_vocals: "去人声",
  },
};

export const language = navigator.language.startsWith("zh") ? "zh" : "en";

/** The words of a key, with values in place of {0}, {1}. A key without words is its own. */
export function say(key, ...values) {
  return (WORDS[language][key] ?? key).replace(/\{(\d)\}/g, (_, number) => values[number]);
}

/** Add the words of another page, by language. */
export function addWords(more) {
  for (const [name, words] of Object.entries(more)) Object.assign(WORDS[name], words);
}

/** Put the words into the elements that name theirs. */
export function fillIn(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of root.querySelectorAll("[data-label]")) element.ariaLabel = say(element.dataset.label);
}

/** Seconds as 1:05. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Seconds as 1:05.250. */
export function exactClock(seconds) {
  const milliseconds = Math.max(0, Math.round(1000 * seconds));
  return `${clock(Math.floor(milliseconds / 1000))}.${String(milliseconds % 1000).padStart(3, "0")}`;
}

/** A number of bytes as 1.2 GB. */
export function bytes(number) {
  const [unit, name] = number < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  const value = number / unit;
  return `${value.toFixed(value < 0.05 || value >= 10 ? 0 : 1)} ${name}`;
}
