package naming

import "strconv"

// Sources that a Name may carry: where its picture was taken from. A ripped or re-encoded picture has its own
// word where names tell it apart (bdrip, brrip, dvdrip, webrip).
//
//	bluray bdrip brrip hddvd web webdl webrip hdrip hdtv tv dvd dvdrip
//	screener cam telesync telecine workprint vhs laserdisc film_scan digital_master
func learnSources() {
	s := func(value string, st strength, words string) { learn(tagSource, value, st, words) }
	s("bluray", strong, "bluray|blu ray|bd25|bd50|bd66|bd100|bd 25|bd 50|bd5|bd9|bdmv|bdiso|mbluray|uhdbd|bdmux|bdfull|bd full|full bluray|br disk|bd disk|brdisk|blu rays|ubluray|uhdbluray|bluray3d|bdr|uhd2bd|uhd 2bd")
	s("bluray", weak, "bd")
	s("bdrip", strong, "bdrip|bd rip|bluray rip|blu ray rip|blurayrip|blu rayrip|bdripmux|uhdbdrip|uhdrip|uhd rip|bdlight|mhd|mbdrip")
	s("brrip", strong, "brrip|br rip|brripmux")
	s("hddvd", strong, "hddvd|hd dvd")
	s("webdl", strong, "web dl|webdl|web dlmux|webdlmux|ituneshd|amazonhd|amazonsd|netflixhd|netflixuhd|webhd|web hd|hbomaxhd|disneyhd|maxdomehd|true web dl")
	s("webrip", strong, "web rip|webrip|webmux|web mux|dlmux|dl mux|webcap|web cap|web dlrip|webdlrip|web dl rip|vodrip|vod rip|webripmux")
	s("web", shouted, "web")
	s("hdrip", strong, "hdrip|hd rip|web hdrip|webhdrip|hc hdrip|microhd|micro hd|vhdrip")
	s("hdtv", strong, "hdtv|hd tv|hdtvrip|hdtv rip|ahdtv|tvriphd|uhdtv|hdtvmux")
	s("tv", strong, "pdtv|sdtv|dsr|dsrip|dthrip|dvbrip|satrip|sat rip|tvrip|tv rip|ppvrip|ppv rip|dvb|digital tv|pdtvrip")
	s("dvd", strong, "dvd r|dvdr|sd dvd|dvdfull|full dvd|dvd full|dvdmux|dvd5|dvd9|dvd 5|dvd 9|dvdr5|dvdr9")
	s("dvd", shouted, "r5|r6")
	s("dvdrip", strong, "dvdrip|dvd rip|dvdripmux|hddvdrip|hd dvd rip|dvdrips|xvidvdrip")
	s("screener", strong, "dvdscr|dvd scr|dvdscreener|dvd screener|bdscr|bd scr|brscreener|br screener|brscr|bluray scr|hdscr|webscr|web scr|dvdscr rip|predvd|pre dvd|predvdrip|predvd rip|prerip|scr rip|desiscr|tvscr|webscreener")
	s("screener", shouted, "screener|scr|ddc")
	s("cam", strong, "hdcam|hd cam|camrip|cam rip|hqcam|hq cam|s print|sprint hq|hdcamrip|cam hd|newcam")
	s("cam", shouted, "cam")
	s("telesync", strong, "telesync|tele sync|hdts|hd ts|tsrip|ts rip|hqts|hd telesync|hdtsrip")
	s("telesync", shouted, "ts|pdvd")
	s("telecine", strong, "telecine|tele cine|hdtc|hd tc|tcrip|hd telecine|hqtc")
	s("telecine", shouted, "tc")
	s("workprint", strong, "workprint")
	s("workprint", shouted, "wp")
	s("vhs", strong, "vhsrip|vhs rip|vhs|betarip")
	s("laserdisc", strong, "laserdisc|ldrip|ld rip")
	s("film_scan", strong, "35mm|16mm|70mm|35 mm|16 mm|super 8mm")
	s("digital_master", strong, "dmrip|dm rip|dcprip|dcp rip")
	s("digital_master", shouted, "dcp")
}

// gluedSources are what stands before a resolution without a blank: BD1080p, TC720p.
var gluedSources = map[string]string{
	"bd": "bluray", "bluray": "bluray", "uhdbd": "bluray", "tc": "telecine", "ts": "telesync", "hdtv": "hdtv",
	"webdl": "webdl", "web": "web", "webrip": "webrip", "dvd": "dvd",
}

// standardHeight repairs heights that are misspelt to get round filters, and names interlaced ones by their lines.
func standardHeight(lines string) string {
	switch lines {
	case "1o8o", "1o80", "108o", "10800":
		return "1080"
	}
	return lines
}

// standardFrame is the resolution whose width a frame has: films are cropped in height, never in width.
func standardFrame(width, height string) string {
	w, _ := strconv.Atoi(width)
	h, _ := strconv.Atoi(height)
	switch h {
	case 480, 576, 720, 1080, 1440, 2160, 4320:
		return height + "p"
	}
	switch {
	case w >= 7000:
		return "4320p"
	case w >= 3400:
		return "2160p"
	case w >= 2300:
		return "1440p"
	case w >= 1700 || h > 720:
		return "1080p"
	case w >= 1100 || h > 576:
		return "720p"
	case h > 480:
		return "576p"
	}
	return "480p"
}
